package heartbeat

import (
	"fmt"
	"maps"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"golang.org/x/time/rate"
)

const (
	// resend is how often a firing alert is sent again, and lifetime how long
	// it lives without that: what Prometheus does with its rules' alerts.
	resend   = time.Minute
	lifetime = 4 * resend
	// beatRate and beatBurst bound what one heartbeat may send.
	beatRate  = 5
	beatBurst = 20

	lateAlert   = "HeartbeatLate"
	failedAlert = "HeartbeatFailed"

	nameLabel     = "heartbeat"
	severityLabel = "severity"

	guide = "https://github.com/hedgewatch/hedgewatch/blob/main/docs/trust.md#heartbeats-in"
)

// State is how a heartbeat is doing.
type State string

// The states.
const (
	StateNew    State = "new"    // Not heard of, and not late yet.
	StateOK     State = "ok"     // It reported success in time.
	StateLate   State = "late"   // Its time and its grace have passed.
	StateFailed State = "failed" // Its last report was a failure.
)

// signs is what a restart must know of a heartbeat.
type signs struct {
	// Since is the last report of any kind, or when we began to listen.
	Since   time.Time `json:"since"`
	Heard   bool      `json:"heard,omitempty"` // There was a report.
	Failed  bool      `json:"failed,omitempty"`
	Message string    `json:"message,omitempty"`
	// Alerting is when it became late or failed; zero while all is well.
	Alerting time.Time `json:"alerting,omitzero"`
}

// beat is one heartbeat that comes in. It is guarded by its owner.
type beat struct {
	In
	signs
	awaited time.Time // before which it is not late, whatever else
	limiter *rate.Limiter
	sent    *notifier.Alert // what fires
	sentAt  time.Time
}

func newBeat(in In, now time.Time) *beat {
	return &beat{In: in, signs: signs{Since: now}, limiter: rate.NewLimiter(beatRate, beatBurst)}
}

// inherit takes over from the same heartbeat before a reload. It returns the
// resolved alert where labels changed, since the next one is another alert.
func (b *beat) inherit(old *beat, now time.Time) []*notifier.Alert {
	b.signs, b.awaited = old.signs, old.awaited
	if b.Severity != old.Severity || !maps.Equal(b.Labels, old.Labels) {
		return old.end(now)
	}
	b.sent, b.sentAt = old.sent, old.sentAt
	return nil
}

// restore takes up what was known before a restart. What came while nobody
// listened is lost, so a heartbeat that was well gets its grace once more.
func (b *beat) restore(s signs, start time.Time) {
	b.signs = s
	if b.Since.IsZero() || b.Since.After(start) {
		b.Since = start // The clock was set back.
	}
	if b.Alerting.IsZero() {
		b.awaited = start.Add(time.Duration(b.Grace))
	}
}

// report notes that the heartbeat was heard.
func (b *beat) report(now time.Time, failed bool, message string) {
	b.Since, b.Heard, b.Failed, b.Message = now.UTC(), true, failed, message
	if !failed {
		b.Alerting = time.Time{}
	}
}

func (b *beat) deadline() time.Time {
	d := b.Since.Add(time.Duration(b.Interval) + time.Duration(b.Grace))
	if b.awaited.After(d) {
		return b.awaited
	}
	return d
}

func (b *beat) state(now time.Time) State {
	switch {
	case b.Failed:
		return StateFailed
	case !now.Before(b.deadline()):
		return StateLate
	case !b.Heard:
		return StateNew
	}
	return StateOK
}

// tick returns the alerts to send now, the time of the next tick, and whether
// the signs have changed.
func (b *beat) tick(now time.Time) (alerts []*notifier.Alert, next time.Time, changed bool) {
	name := ""
	switch b.state(now) {
	case StateLate:
		name = lateAlert
	case StateFailed:
		name = failedAlert
	default:
		changed = !b.Alerting.IsZero()
		b.Alerting = time.Time{}
		return b.end(now), b.deadline(), changed
	}
	if b.Alerting.IsZero() {
		b.Alerting, changed = now, true
	}
	if b.sent != nil && b.sent.Labels.Get(model.AlertNameLabel) != name {
		alerts = b.end(now)
		b.Alerting, changed = now, true
	}
	if b.sent == nil || now.Sub(b.sentAt) >= resend || b.sent.Annotations.Get("message") != b.Message {
		b.sent, b.sentAt = b.alert(name, now), now
		alerts = append(alerts, b.sent)
	}
	return alerts, b.sentAt.Add(resend), changed
}

// end returns the resolved form of what fires.
func (b *beat) end(now time.Time) []*notifier.Alert {
	if b.sent == nil {
		return nil
	}
	a := *b.sent
	a.EndsAt = now
	b.sent = nil
	return []*notifier.Alert{&a}
}

func (b *beat) alert(name string, now time.Time) *notifier.Alert {
	ls := labels.NewBuilder(labels.FromMap(b.Labels))
	ls.Set(model.AlertNameLabel, name)
	ls.Set(nameLabel, b.Name)
	ls.Set(severityLabel, b.Severity)

	heard := "It has not been heard since " + b.Since.UTC().Format(time.RFC3339)
	if !b.Heard {
		heard = "It has never been heard since hedgewatch began to listen at " + b.Since.UTC().Format(time.RFC3339)
	}
	an := labels.NewBuilder(labels.FromStrings(
		"summary", fmt.Sprintf("Heartbeat %s is late.", b.Name),
		"description", fmt.Sprintf("%s, and should come every %v; %v more were granted.", heard, b.Interval, b.Grace),
		"runbook_url", guide,
	))
	if name == failedAlert {
		an.Set("summary", fmt.Sprintf("Heartbeat %s reports a failure.", b.Name))
		an.Set("description", fmt.Sprintf("It reported at %s that it failed. The next success ends this alert.", b.Since.UTC().Format(time.RFC3339)))
		an.Set("message", b.Message)
	}
	return &notifier.Alert{
		Labels:      ls.Labels(),
		Annotations: an.Labels(),
		StartsAt:    b.Alerting,
		EndsAt:      now.Add(lifetime),
	}
}
