package ruler

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// Evaluation on commit.
//
// Besides the schedule, which stays, three things evaluate a group:
//
//   - a sample that changes sides of a plain threshold: at once;
//   - any other sample that the group's rules read: at once if the group was
//     quiet, else when its throttle allows. First the rules that read it are
//     looked at: only if one has alerts, or would have, the group is evaluated;
//   - the moment at which a pending alert's `for`, or a firing one's
//     keep_firing_for, is over.
//
// The outcome is always that of the library's own evaluation of the whole group.
// Its alerts are looked at more often than the schedule would: a dip between two
// ticks, which the schedule misses, starts a `for` over.
const (
	// minPause lets the commits of one moment share an evaluation.
	minPause = 5 * time.Millisecond
	// defaultThrottle and throttleFactor bound what costly groups may use: a
	// group pauses a second, or twenty times what its last evaluation took.
	defaultThrottle = time.Second
	throttleFactor  = 20
	// maxAhead is how far in the future a sample may lie, by a sender's clock,
	// to be waited for.
	maxAhead = time.Minute
)

// runner evaluates one group on commits and at deadlines.
type runner struct {
	group    *rules.Group
	lookback time.Duration
	count    func(trigger string)
	guards   *guards

	causes            causes
	doubts            doubts
	urgent, throttled chan struct{} // Of one slot: further wake-ups share it.
	ahead             alarm
	deadline          *time.Timer
	quit, done        chan struct{} // nil while run does not

	// mu makes evaluations of the group take turns, which the library's are not
	// made to do by themselves.
	mu      sync.Mutex
	last    time.Time     // the timestamp of the latest evaluation
	looked  time.Time     // when the rules in doubt were last found quiet
	took    time.Duration // of the latest evaluation or look
	watches []*watch
	// minPause between evaluations for samples that no threshold judges.
	pause time.Duration
	// dependents read what this group records.
	dependents []*runner
}

func newRunner(g *rules.Group, lookback time.Duration, count func(string), guards *guards) *runner {
	r := &runner{
		group:     g,
		lookback:  lookback,
		count:     count,
		guards:    guards,
		pause:     defaultThrottle,
		urgent:    make(chan struct{}, 1),
		throttled: make(chan struct{}, 1),
		deadline:  time.NewTimer(time.Hour),
	}
	r.deadline.Stop()
	r.ahead.ring = func() { signal(r.urgent) }
	return r
}

// set sets what a reload can change: the pause, and the runners that a new
// evaluation of this one concerns.
func (r *runner) set(pause time.Duration, dependents []*runner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pause, r.dependents = pause, dependents
}

// watchRules returns new watches for the group's rules, by metric name.
func (r *runner) watchRules() map[string][]*watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches = nil
	byName := map[string][]*watch{}
	add := func(found map[string][]*watch) {
		for name, watches := range found {
			byName[name] = append(byName[name], watches...)
			r.watches = append(r.watches, watches...)
		}
	}
	guarded := map[*rules.AlertingRule]bool{}
	for _, g := range r.guards.of(r.group) {
		guarded[g.rule] = true
	}
	for _, rule := range r.group.Rules() {
		found := watchesOf(rule.Query(), r)
		if alerting, ok := rule.(*rules.AlertingRule); ok && !guarded[alerting] {
			for _, watches := range found {
				for _, w := range watches {
					w.rule = alerting
				}
			}
		}
		add(found)
	}
	for _, g := range r.guards.of(r.group) {
		for _, expr := range []parser.Expr{g.guard.evidence, g.guard.recovery} {
			if expr != nil {
				add(watchesWhile(&g.guard.holding, expr, r))
			}
		}
	}
	return byName
}

// wake asks for an evaluation as soon as the sample at t can be seen.
func (r *runner) wake(t int64, committed time.Time) {
	r.causes.note(Cause{Sampled: time.UnixMilli(t), Committed: committed})
	if ahead := time.UnixMilli(t); time.Until(ahead) > 0 {
		r.ahead.set(ahead)
		return
	}
	signal(r.urgent)
}

// wakeThrottled asks for a look at a rule, nil for all of them, when the throttle
// allows.
func (r *runner) wakeThrottled(rule *rules.AlertingRule, c Cause) {
	r.causes.note(c)
	r.doubts.note(rule)
	signal(r.throttled)
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // An evaluation is due already.
	}
}

// start lets the runner work until stop.
func (r *runner) start() {
	r.mu.Lock()
	r.setDeadline()
	r.mu.Unlock()
	r.quit, r.done = make(chan struct{}), make(chan struct{})
	go r.run(r.quit, r.done)
}

// stop waits for an evaluation in progress.
func (r *runner) stop() {
	close(r.quit)
	<-r.done
	r.quit, r.done = nil, nil
	r.deadline.Stop()
	r.ahead.stop()
}

func (r *runner) run(quit <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	for {
		trigger := "commit"
		select {
		case <-quit:
			return
		case <-r.urgent:
		case <-r.deadline.C:
			trigger = "deadline"
		case <-r.throttled:
			pressing, ok := r.await(quit, r.throttle())
			if !ok {
				return
			}
			if !pressing && r.quietAt(r.group.Context(), time.Now()) {
				continue
			}
		}
		r.count(trigger)
		r.doubts.take() // All rules are looked at now.
		// Not a context that ends with run: a query that is cut off is a failed
		// evaluation.
		r.evaluate(r.group.Context(), r.group, time.Now())
		select {
		case <-quit:
			return
		case <-time.After(minPause):
		}
	}
}

// await waits for the pause to pass, or for something more pressing. It is not ok
// on quit.
func (r *runner) await(quit <-chan struct{}, pause time.Duration) (pressing, ok bool) {
	select {
	case <-quit:
		return false, false
	case <-time.After(pause):
		return false, true
	case <-r.urgent:
	case <-r.deadline.C:
	}
	return true, true
}

// throttle is how long a costly evaluation has to wait.
func (r *runner) throttle() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.last
	if r.looked.After(last) {
		last = r.looked
	}
	return time.Until(last.Add(max(r.pause, throttleFactor*r.took)))
}

// evaluate evaluates the group at the given time. The schedule and run both end
// here.
func (r *runner) evaluate(ctx context.Context, g *rules.Group, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The schedule's time is that of its slot, which can lie before an evaluation
	// that came by commit: what is recorded must not go back in time.
	if !at.After(r.last) {
		at = r.last.Add(time.Millisecond)
	}
	started := time.Now()
	cause := r.causes.take()
	r.guards.evaluate(ctx, g, at, cause)
	r.last, r.took = at, time.Since(started)
	r.setDeadline()
	for _, w := range r.watches {
		w.forget(at.Add(-r.lookback).UnixMilli())
	}
	for _, d := range r.dependents {
		d.wakeThrottled(nil, cause)
	}
}

// setDeadline arms the timer for the next alert whose state changes by time
// alone.
func (r *runner) setDeadline() {
	var next time.Time
	earlier := func(t time.Time) {
		if t.After(r.last) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, rule := range r.group.AlertingRules() {
		rule.ForEachActiveAlert(func(a *rules.Alert) {
			switch {
			case a.State == rules.StatePending:
				earlier(a.ActiveAt.Add(rule.HoldDuration()))
			case a.State == rules.StateFiring && !a.KeepFiringSince.IsZero():
				earlier(a.KeepFiringSince.Add(rule.KeepFiringFor()))
			}
		})
	}
	for _, g := range r.guards.of(r.group) {
		earlier(g.guard.deadline())
	}
	if next.IsZero() {
		r.deadline.Stop()
		return
	}
	r.deadline.Reset(time.Until(next))
}

// alarm rings at the first and at the last of the times it was set to, which is
// enough: whatever lies between is seen at the last.
type alarm struct {
	ring func()

	mu    sync.Mutex
	timer *time.Timer // nil while none is set
	last  time.Time
}

// set makes the alarm ring at t, if that is not too far away to be true.
func (a *alarm) set(t time.Time) {
	if time.Until(t) > maxAhead {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.After(a.last) {
		a.last = t
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(t), a.rang)
	}
}

func (a *alarm) rang() {
	a.ring()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer = nil
	if rest := time.Until(a.last); rest > 0 {
		a.timer = time.AfterFunc(rest, a.rang)
	}
}

func (a *alarm) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = time.Time{}
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}
