// Package drill finds out whether alerts would arrive before one has to: a
// canary goes all the way of an alert every minute, and drills send a test
// message to a receiver on schedule or at a person's word. It also answers
// where an alert would go.
//
// It sends nothing itself; what it needs of the alert path is in [CanaryDeps]
// and [Deps]. Start with [NewCanary] and [New].
package drill

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	// CanaryReceiver is the receiver that the canary's route leads to.
	CanaryReceiver = "hedgewatch-canary"
	// CanaryIntegration is its only integration, which the Canary sends for.
	CanaryIntegration = "webhook[0]"

	canaryAlert      = "HedgewatchCanary"
	canaryAnnotation = "canary"

	canaryInterval = time.Minute
	// canaryPatience is how long a canary may be on its way.
	canaryPatience = 20 * time.Second
	// canaryMissed is how many in a row must be lost for alerts to count as lost.
	canaryMissed = 3
)

// ErrReservedName says that a receiver has the canary's name.
var ErrReservedName = fmt.Errorf("receiver %q: the name is taken by hedgewatch itself; use another", CanaryReceiver)

// CanaryDeps is what a Canary needs from its surroundings.
type CanaryDeps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Put hands alerts to the alert path.
	Put func(context.Context, ...*alert.Alert) error
}

// Canary sends an alert through grouping, inhibition, silences, the notification
// log and the outbox every minute, and waits for it at the other end. It is the
// sender of its own receiver, so nobody is disturbed.
type Canary struct {
	deps    CanaryDeps
	start   time.Time
	metrics canaryMetrics
	arrived chan string // one slot: the last canary that came through

	mu   sync.Mutex
	last time.Time // when one was last sent that arrived
	lost int       // in a row
}

type canaryMetrics struct {
	lastSuccess *prometheus.GaugeVec // without labels; a vector is absent until it is set
	latency     prometheus.Histogram
	outcomes    *prometheus.CounterVec
}

// NewCanary builds a Canary that sends nothing before Run.
func NewCanary(d CanaryDeps) *Canary {
	f := promauto.With(d.Registerer)
	c := &Canary{
		deps:    d,
		start:   time.Now(),
		arrived: make(chan string, 1),
		metrics: canaryMetrics{
			lastSuccess: f.NewGaugeVec(prometheus.GaugeOpts{
				Name: "hedgewatch_canary_last_success_timestamp_seconds",
				Help: "When the last canary alert that arrived was sent; absent until one has.",
			}, nil),
			latency: f.NewHistogram(prometheus.HistogramOpts{
				Name:    "hedgewatch_canary_latency_seconds",
				Help:    "Time of a canary alert from its entry to its delivery.",
				Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
			}),
			outcomes: f.NewCounterVec(prometheus.CounterOpts{
				Name: "hedgewatch_canary_alerts_total",
				Help: "Canary alerts by outcome: arrived or lost.",
			}, []string{"outcome"}),
		},
	}
	c.metrics.outcomes.WithLabelValues("arrived")
	c.metrics.outcomes.WithLabelValues("lost")
	return c
}

// WithCanary returns a configuration that differs from cfg by the canary's route,
// ahead of all others, and its receiver.
func WithCanary(cfg *amconfig.Config) (*amconfig.Config, error) {
	for _, r := range cfg.Receivers {
		if r.Name == CanaryReceiver {
			return nil, ErrReservedName
		}
	}
	// The address is never called; Send takes the message.
	own, err := amconfig.Load(fmt.Sprintf(`
route:
  receiver: %[1]s
  routes:
    - receiver: %[1]s
      matchers: ['alertname="%[2]s"']
      group_by: [alertname]
      group_wait: 0s
      group_interval: 1s
      repeat_interval: 1h
receivers:
  - name: %[1]s
    webhook_configs: [{url: "http://canary.invalid/", send_resolved: false, http_config: {}}]`, CanaryReceiver, canaryAlert))
	if err != nil {
		return nil, fmt.Errorf("configuration of the canary: %w", err)
	}
	with, route := *cfg, *cfg.Route
	route.Routes = append(slices.Clone(own.Route.Routes), cfg.Route.Routes...)
	with.Route = &route
	with.Receivers = append(slices.Clone(cfg.Receivers), own.Receivers...)
	return &with, nil
}

// IsCanary reports whether labels are those of the canary's alert.
func IsCanary(labels model.LabelSet) bool { return labels[model.AlertNameLabel] == canaryAlert }

// Send implements receiver.Sender: the end of a canary's way.
func (c *Canary) Send(_ context.Context, m receiver.Message) (receiver.Receipt, error) {
	for _, a := range m.Alerts {
		select {
		case <-c.arrived: // An older one that nobody waits for.
		default:
		}
		select {
		case c.arrived <- string(a.Annotations[canaryAnnotation]):
		default: // Two configurations send, during a reload.
		}
	}
	return receiver.Receipt{Endpoint: "this process"}, nil
}

// Healthy says why alerts do not arrive, or nil when they do.
func (c *Canary) Healthy() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch age := time.Since(c.last); {
	case c.last.IsZero() && c.lost == 0:
		return errors.New("no canary alert has been sent yet")
	case c.last.IsZero():
		return fmt.Errorf("no canary alert has arrived since the start, %d are lost", c.lost)
	case c.lost >= canaryMissed || age > (canaryMissed+1)*canaryInterval:
		return fmt.Errorf("no canary alert has arrived for %v", age.Round(time.Second))
	}
	return nil
}

// Run sends canaries until ctx ends.
func (c *Canary) Run(ctx context.Context) error {
	t := time.NewTicker(canaryInterval)
	defer t.Stop()
	for {
		c.fly(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// fly sends one canary and takes it back when it has arrived or is lost.
func (c *Canary) fly(ctx context.Context) {
	id, sent := rand.Text(), time.Now()
	flight, cancel := context.WithTimeout(ctx, canaryPatience)
	defer cancel()
	err := c.deps.Put(flight, canaryAt(id, sent, sent.Add(2*canaryInterval)))
	if err == nil {
		err = c.await(flight, id)
	}
	if ctx.Err() != nil {
		return
	}
	c.note(sent, err)
	// What is not taken back ends by itself.
	if err := c.deps.Put(ctx, canaryAt(id, sent, time.Now())); err != nil && ctx.Err() == nil {
		c.deps.Logger.Debug("Canary alert not taken back", "err", err)
	}
}

func (c *Canary) await(ctx context.Context, id string) error {
	for {
		select {
		case arrived := <-c.arrived:
			if arrived == id {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("it did not arrive within %v", canaryPatience)
		}
	}
}

func (c *Canary) note(sent time.Time, err error) {
	c.mu.Lock()
	lostBefore := c.lost
	if err == nil {
		c.last, c.lost = sent, 0
	} else {
		c.lost++
	}
	c.mu.Unlock()

	if err != nil {
		c.metrics.outcomes.WithLabelValues("lost").Inc()
		if lostBefore == 0 {
			c.deps.Logger.Error("A canary alert is lost: alerts may not arrive", "err", err)
		}
		return
	}
	c.metrics.outcomes.WithLabelValues("arrived").Inc()
	c.metrics.latency.Observe(time.Since(sent).Seconds())
	c.metrics.lastSuccess.WithLabelValues().Set(float64(sent.UnixMilli()) / 1000)
	if lostBefore > 0 {
		c.deps.Logger.Info("Canary alerts arrive again", "lost", lostBefore)
	}
}

func canaryAt(id string, start, end time.Time) *alert.Alert {
	return &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{model.AlertNameLabel: canaryAlert, "severity": "none"},
		Annotations: model.LabelSet{
			"summary":        "hedgewatch tests its own alert path.",
			canaryAnnotation: model.LabelValue(id),
		},
		StartsAt: start,
		EndsAt:   end,
	}}
}
