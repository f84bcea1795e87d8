package alerting

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/notify"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// crew is the workers of one configuration, one for each destination.
type crew struct {
	quit    func() // lets attempts under way end and begins no other
	running sync.WaitGroup
}

// worker empties the queue of one destination.
type worker struct {
	outbox      *outbox
	destination *destination
	sender      receiver.Sender
	timeout     time.Duration
}

// work starts to deliver by a plan.
func (o *outbox) work(p *plan, destinations []*destination) *crew {
	quit := make(chan struct{})
	c := &crew{quit: sync.OnceFunc(func() { close(quit) })}
	for i, t := range p.destinations {
		w := worker{outbox: o, destination: destinations[i], sender: t.sender, timeout: p.delivery.timeout(t.key.Integration)}
		o.workers.Add(1)
		c.running.Go(func() {
			defer o.workers.Done()
			w.run(o.halted, quit)
		})
	}
	return c
}

// end waits for attempts under way, for drainTimeout, and breaks them off then.
// It reports whether all have ended.
func (o *outbox) end() bool { return endWithin(&o.workers, o.halt) }

// run delivers until quit is closed. An attempt under way is finished then; ctx
// breaks it off.
func (w *worker) run(ctx context.Context, quit <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	// The next worker has to hear what this one may have been told.
	defer w.destination.signal()
	for {
		select {
		case <-quit:
			return
		default:
		}
		j, wait := w.destination.next(time.Now())
		if j != nil {
			w.do(ctx, j)
			continue
		}
		timer.Reset(wait)
		select {
		case <-w.destination.wake:
		case <-timer.C:
		case <-quit:
		}
	}
}

var errExpired = errors.New("the destination did not take the message in time")

// do makes an attempt and draws the conclusions.
func (w *worker) do(ctx context.Context, j *job) {
	o, d := w.outbox, w.destination
	start := time.Now()
	m := o.message(d.key, j)
	if j.expired {
		d.giveUp(j, start)
		o.record(d, attempt{job: j, message: m, outcome: OutcomeExpired, err: errExpired, start: start, end: start})
		o.logger.Error("A notification is given up, its destination did not take it in time",
			"destination", d.key.String(), "group", m.GroupKey, "message", m.ID)
		return
	}
	// What is sent is on disk, or a crash would have it told again. Without a
	// working disk, it is told all the same.
	_ = o.journal.awaitDisk(ctx)
	receipt, err := w.send(ctx, j, m)
	end := time.Now()
	if err != nil && ctx.Err() != nil {
		d.interrupted(j)
		return
	}
	outcome := outcomeOf(err)
	if j.state != nil && outcome.final() {
		o.log.ensure(j.state)
		_ = o.log.journal.awaitDisk(ctx) // A disk that refuses holds up nothing.
	}
	o.record(d, attempt{job: j, message: m, receipt: receipt, outcome: outcome, err: err, start: start, end: end})
	switch outcome {
	case OutcomeDelivered:
		if d.delivered(j, receipt.Memo, end) {
			o.alarm()
		}
		o.observe(d, j, m, end)
	case OutcomeRejected:
		d.learn(j, receipt.Memo, end)
		d.giveUp(j, end)
		o.logger.Error("A notification is given up, its destination rejects it",
			"destination", d.key.String(), "group", m.GroupKey, "message", m.ID, "err", err)
	default:
		died := outcome == OutcomeDead && !d.isDead()
		d.learn(j, receipt.Memo, end)
		d.failed(j, err, start, end)
		if died {
			o.logger.Error("A destination is dead; its messages are kept", "destination", d.key.String(), "err", err)
			o.alarm()
		}
	}
	// A message is off the queue when that is on disk. Without a working disk we
	// go on all the same.
	_ = o.journal.awaitDisk(ctx)
}

// send calls the sender with a deadline. A sender that panics must not silence
// the others.
func (w *worker) send(ctx context.Context, j *job, m receiver.Message) (receipt receiver.Receipt, err error) {
	ctx, cancel := withPatience(libraryContext(ctx, j, m), w.timeout)
	defer cancel()
	defer func() {
		// What a library calls "canceled" here is our own patience.
		if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && errors.Is(cause, errNoAnswer) {
			err = cause
		}
		if p := recover(); p != nil {
			w.outbox.logger.Error("A destination's code panicked", "destination", w.destination.key.String(), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic while sending: %v", p)
		}
	}()
	return w.sender.Send(ctx, m)
}

// message is what a job has to say.
func (o *outbox) message(d destinationKey, j *job) receiver.Message {
	m := receiver.Message{Receiver: d.Receiver, Memo: j.memo}
	if dg := j.digest; dg != nil {
		sum := dg.sum
		m.ID, m.GroupKey, m.Alerts, m.QueuedAt, m.Storm = dg.id, stormGroup, dg.alerts, dg.since, &sum
		m.Reason = receiver.ReasonFiring
		if sum.Firing == 0 {
			m.Reason = receiver.ReasonResolved
		}
	} else {
		s := j.state
		m.ID, m.GroupKey, m.GroupLabels, m.Alerts = s.ID, s.GroupKey, s.GroupLabels, s.Alerts
		m.RouteLabels, m.NotificationReason = s.RouteLabels, s.NotifyReason
		m.Reason, m.QueuedAt, m.Superseded, m.Values = s.Reason, s.Since, s.Superseded, s.Values
	}
	m.Acknowledged = o.acknowledged(m.Alerts)
	return m
}

// libraryContext carries what Alertmanager's own receivers ask their context for.
func libraryContext(ctx context.Context, j *job, m receiver.Message) context.Context {
	ctx = notify.WithGroupKey(ctx, m.GroupKey)
	ctx = notify.WithGroupLabels(ctx, m.GroupLabels)
	ctx = notify.WithReceiverName(ctx, m.Receiver)
	ctx = notify.WithRouteLabels(ctx, m.RouteLabels)
	ctx = notify.WithNow(ctx, time.Now())
	ctx = notify.WithNotificationReason(ctx, parseNotifyReason(m.NotificationReason))
	if s := j.state; s != nil {
		ctx = notify.WithRouteID(ctx, s.RouteID)
		ctx = notify.WithRepeatInterval(ctx, s.RepeatInterval)
	}
	return ctx
}

// alarm has the watch look at the destinations now.
func (o *outbox) alarm() {
	select {
	case o.trouble <- struct{}{}:
	default:
	}
}

func (d *destination) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.health.dead
}
