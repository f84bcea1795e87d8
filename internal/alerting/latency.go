package alerting

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Origin is when the stages of an alert's way ended, as far as they are known.
type Origin struct {
	// Sampled is the time of the sample that changed the alert.
	Sampled time.Time `json:"sampled,omitzero"`
	// Committed is when the sample was visible to rules.
	Committed time.Time `json:"committed,omitzero"`
	// Evaluated is when the rule's evaluation had its result.
	Evaluated time.Time `json:"evaluated,omitzero"`
	// Put is when alerting received the alert.
	Put time.Time `json:"put,omitzero"`
}

type originKey struct{}

// WithOrigin returns a context for [Alerting.Put] that says where the alerts
// come from.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// Stage is a part of an alert's way.
type Stage string

// The stages. The first two are observed by whoever evaluates rules.
const (
	StageScrape   Stage = "scrape"   // From the sample to its commit.
	StageEvaluate Stage = "evaluate" // From the commit to the alert.
	StageGroup    Stage = "group"    // From the alert to its message.
	StageSend     Stage = "send"     // From the message to the destination's answer.
	StageTotal    Stage = "total"    // All of it, or from the alert on where no more is known.
)

func newLatency(r prometheus.Registerer) *prometheus.HistogramVec {
	h := promauto.With(r).NewHistogramVec(prometheus.HistogramOpts{
		Name: "hedgewatch_alert_latency_seconds",
		Help: "How long alerts that are news take, by stage of their way from the sample to the destination's answer.",
		// 1 ms to 10 min.
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
	}, []string{"stage"})
	for _, s := range []Stage{StageScrape, StageEvaluate, StageGroup, StageSend, StageTotal} {
		h.WithLabelValues(string(s))
	}
	return h
}

// ObserveLatency counts how long an alert took for a stage.
func (a *Alerting) ObserveLatency(s Stage, d time.Duration) {
	a.outbox.metrics.latency.WithLabelValues(string(s)).Observe(d.Seconds())
}

const (
	// maxOrigins bounds the alerts whose times are known, and originKept how
	// long: a group that waits longer is measured from its message on.
	maxOrigins = 20000
	originKept = time.Hour
)

// origins has the times of alerts that have just changed, until their messages
// are made.
type origins struct {
	mu    sync.Mutex
	byKey map[model.Fingerprint]*knownOrigin
}

type knownOrigin struct {
	Origin
	// taken are the destinations whose messages have it.
	taken []destinationKey
}

func newOrigins() *origins { return &origins{byKey: make(map[model.Fingerprint]*knownOrigin)} }

// changed notes an alert that has begun to fire, or ended.
func (o *origins) changed(fp model.Fingerprint, origin Origin) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.byKey[fp]; !known && len(o.byKey) >= maxOrigins {
		return
	}
	o.byKey[fp] = &knownOrigin{Origin: origin}
}

// take returns the origins of alerts that are news for a destination, and
// observes how long they took to get into a message.
func (o *origins) take(d destinationKey, alerts []*alert.Alert) map[model.Fingerprint]Origin {
	o.mu.Lock()
	defer o.mu.Unlock()
	var news map[model.Fingerprint]Origin
	for _, a := range alerts {
		fp := a.Fingerprint()
		known := o.byKey[fp]
		if known == nil || slices.Contains(known.taken, d) {
			continue
		}
		known.taken = append(known.taken, d)
		if news == nil {
			news = make(map[model.Fingerprint]Origin)
		}
		news[fp] = known.Origin
	}
	return news
}

func (o *origins) forgetOld(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for fp, known := range o.byKey {
		if now.Sub(known.Put) > originKept {
			delete(o.byKey, fp)
		}
	}
}

// observe notes that a destination took a message.
func (o *outbox) observe(d *destination, j *job, m receiver.Message, now time.Time) {
	if d.hidden {
		return
	}
	if j.state != nil {
		o.metrics.latency.WithLabelValues(string(StageSend)).Observe(now.Sub(j.state.Since).Seconds())
		for _, origin := range j.state.Origins {
			from := origin.Sampled
			if from.IsZero() {
				from = origin.Put
			}
			o.metrics.latency.WithLabelValues(string(StageTotal)).Observe(now.Sub(from).Seconds())
		}
	}
	for _, a := range m.Alerts {
		told := transitionOf(a, StateNotified, now)
		told.GroupKey, told.Receiver, told.Integration, told.MessageID = m.GroupKey, d.key.Receiver, d.key.Integration, m.ID
		o.told(told)
	}
}
