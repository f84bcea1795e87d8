package ruler

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
)

// Cause is what made a change of an alert known, for the measure of the time
// that it took. A time that does not apply is zero: the first two do not if
// the schedule or a deadline caused the evaluation.
type Cause struct {
	Sampled   time.Time // the timestamp of the sample
	Committed time.Time // when the sample could be queried
	Evaluated time.Time // when the evaluation handed the alert over
}

type causeKey struct{}

// CauseOf returns the cause of the alerts that are sent with ctx. Alerts that
// are only sent again have none.
func CauseOf(ctx context.Context) (Cause, bool) {
	c, ok := ctx.Value(causeKey{}).(Cause)
	return c, ok
}

// observe measures the stages that are over.
func (c Cause) observe(latency func(stage string, d time.Duration)) {
	if latency == nil || c.Committed.IsZero() {
		return
	}
	latency("scrape", max(0, c.Committed.Sub(c.Sampled)))
	// A sample of the future waits for its time.
	latency("evaluate", max(0, c.Evaluated.Sub(later(c.Committed, c.Sampled))))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// causes keeps the first cause since the last evaluation.
type causes struct {
	mu    sync.Mutex
	first Cause
}

func (c *causes) note(next Cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first.Committed.IsZero() {
		c.first = next
	}
}

func (c *causes) take() Cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.first
	c.first = Cause{}
	return first
}

// evaluation is what the library's hooks are told, by context, of the
// evaluation that they are called in.
type evaluation struct {
	at      time.Time
	cause   Cause
	guarded []guarded
}

type evaluationKey struct{}

func evaluationOf(ctx context.Context) *evaluation {
	e, _ := ctx.Value(evaluationKey{}).(*evaluation)
	return e
}

// changed reports whether the evaluation made the alert fire or resolve.
func (e *evaluation) changed(a *rules.Alert) bool {
	return a.FiredAt.Equal(e.at) || a.ResolvedAt.Equal(e.at)
}

// annotate says on the alert of a rule with the given expression why it is
// held, if it is.
func (e *evaluation) annotate(expr string, a *rules.Alert) {
	for _, r := range e.guarded {
		if r.rule.Name() == a.Labels.Get(labels.AlertName) && r.rule.Query().String() == expr {
			r.guard.annotate(a)
		}
	}
}
