package alerting

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

const (
	// drainTimeout bounds how long a reload or a stop waits for notifications
	// that are on their way. Those cut off are sent again, not lost.
	drainTimeout = 3 * time.Second
	// haltTimeout bounds the wait for them to notice that they are cut off.
	haltTimeout = time.Second
)

// delivery is the stage between the dispatcher's groups and the library's
// pipeline. It learns which alerts are finished, and lets what is on its way
// arrive when the dispatcher stops.
type delivery struct {
	next   notify.Stage
	routes *dispatch.Route
	alerts *alerts
	acks   *acks

	// halted ends what is on its way; halt makes it so.
	halted context.Context
	halt   context.CancelFunc

	turns turns

	mu       sync.Mutex
	closed   bool
	underWay sync.WaitGroup
	// told has, per resolved alert that several routes take, those whose
	// receivers have heard of its end.
	told map[model.Fingerprint]map[string]bool
}

func newDelivery(next notify.Stage, routes *dispatch.Route, a *alerts, k *acks) *delivery {
	d := &delivery{next: next, routes: routes, alerts: a, acks: k, told: make(map[model.Fingerprint]map[string]bool)}
	d.halted, d.halt = context.WithCancel(context.Background())
	return d
}

// Exec implements notify.Stage.
func (d *delivery) Exec(ctx context.Context, l *slog.Logger, as ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	if !d.begin(ctx) {
		return ctx, nil, context.Canceled
	}
	defer d.underWay.Done()
	group, _ := notify.GroupKey(ctx)
	defer d.turns.take(group)()
	return d.tell(ctx, l, d.alerts.newest(as))
}

// goTell tells of a group beside the dispatcher, if it is allowed when its turn
// comes, and calls ended then. It returns false when nothing begins any more.
func (d *delivery) goTell(ctx context.Context, l *slog.Logger, as []*alert.Alert, allowed func([]*alert.Alert) bool, ended func()) bool {
	if !d.begin(ctx) {
		ended()
		return false
	}
	go func() {
		defer d.underWay.Done()
		defer ended()
		group, _ := notify.GroupKey(ctx)
		defer d.turns.take(group)()
		as := d.alerts.newest(as)
		if !allowed(as) {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, notify.MinTimeout)
		defer cancel()
		if _, _, err := d.tell(ctx, l, as); err != nil {
			l.Debug("A group is not told early", "group", group, "err", err)
		}
	}()
	return true
}

// tell has the pipeline notify about alerts, in their group's turn.
func (d *delivery) tell(ctx context.Context, l *slog.Logger, as []*alert.Alert) (context.Context, []*alert.Alert, error) {
	// A stopping dispatcher cancels its groups at once; a request that has left
	// would then be sent again, because nobody would log its answer.
	sendCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		sendCtx, cancel = context.WithDeadline(sendCtx, deadline)
		defer cancel()
	}
	defer context.AfterFunc(d.halted, cancel)()

	for _, a := range as {
		// The end of an alert that was not repeated is first seen here.
		d.alerts.seen(a)
	}
	_, sent, err := d.next.Exec(d.acks.withhold(sendCtx, as), l, as...)
	if err != nil {
		return ctx, nil, err
	}
	d.finish(ctx, as)
	return ctx, sent, nil
}

func (d *delivery) begin(ctx context.Context) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || ctx.Err() != nil {
		return false
	}
	d.underWay.Add(1)
	return true
}

// drain waits for what is on its way, for drainTimeout, then cancels it and
// waits for haltTimeout more. Nothing begins any more. It reports whether all
// has ended: the library's e-mail receiver ignores its context while a server
// that has accepted the connection says nothing.
func (d *delivery) drain() bool {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	defer d.halt()

	return endWithin(&d.underWay, d.halt)
}

// endWithin waits for drainTimeout, halts what is still running then, and waits
// for haltTimeout more. It reports whether all has ended.
func endWithin(running *sync.WaitGroup, halt func()) bool {
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-time.After(drainTimeout):
	}
	halt()
	select {
	case <-ended:
		return true
	case <-time.After(haltTimeout):
		return false
	}
}

// finish notes which of the alerts in a notification need no other one.
func (d *delivery) finish(ctx context.Context, as []*alert.Alert) {
	routeID, _ := notify.RouteID(ctx)
	for _, a := range as {
		fp := a.Fingerprint()
		if a.EndsAt.IsZero() { // how the dispatcher marks what fires
			d.mu.Lock()
			delete(d.told, fp)
			d.mu.Unlock()
			continue
		}
		if d.toldAll(fp, routeID, len(d.routes.Match(a.Labels))) {
			d.alerts.finish(fp)
		}
	}
}

// toldAll notes that the receivers of a route know of an alert's end, and
// reports whether those of all its routes do.
func (d *delivery) toldAll(fp model.Fingerprint, routeID string, routes int) bool {
	if routes == 1 {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	told := d.told[fp]
	if told == nil {
		told = make(map[string]bool)
		d.told[fp] = told
	}
	told[routeID] = true
	if len(told) < routes {
		return false
	}
	delete(d.told, fp)
	return true
}
