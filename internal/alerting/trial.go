package alerting

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Trial is what became of a message at one integration.
type Trial struct {
	Integration string // such as discord[0]
	Receipt     receiver.Receipt
	Took        time.Duration
	Err         error // nil if it was delivered
}

// Try sends one message about an alert to each integration of a receiver, past
// routes, silences, inhibition and the outbox, and returns what became of it. It
// is entered into the ledger like any other.
func (a *Alerting) Try(ctx context.Context, name string, reason receiver.Reason, about *alert.Alert) ([]Trial, error) {
	line := a.pipeline.Load()
	if line == nil {
		return nil, errStopped
	}
	targets, done, err := a.targets(line.plan, name)
	if err != nil {
		return nil, err
	}
	defer done()
	trials := make([]Trial, len(targets))
	var running sync.WaitGroup
	for i, t := range targets {
		running.Go(func() { trials[i] = a.try(ctx, t, line.plan.delivery, reason, about) })
	}
	running.Wait()
	return trials, nil
}

// targets returns what sends to a receiver. One that no route uses is built for
// the occasion, and given up with done.
func (a *Alerting) targets(p *plan, name string) (targets []target, done func(), err error) {
	if _, used := p.receivers[name]; used {
		return slices.DeleteFunc(slices.Clone(p.destinations), func(t target) bool { return t.key.Receiver != name }), func() {}, nil
	}
	for _, r := range p.config.Receivers {
		if r.Name != name {
			continue
		}
		// Some of the library's receivers write into their configuration when they
		// are built, so one of these lives at a time.
		a.trial.Lock()
		spare := &plan{template: p.template, delivery: p.delivery, receivers: make(map[string][]notify.Integration), connections: newConnections()}
		done := func() {
			spare.connections.closeAll()
			a.trial.Unlock()
		}
		if err := spare.addReceiver(r, a.outfit, a.logger); err != nil {
			done()
			return nil, nil, fmt.Errorf("receiver %q: %w", name, err)
		}
		return spare.destinations, done, nil
	}
	return nil, nil, fmt.Errorf("%w: no receiver is called %q", ErrInvalid, name)
}

func (a *Alerting) try(ctx context.Context, t target, cfg DeliveryConfig, reason receiver.Reason, about *alert.Alert) Trial {
	start := time.Now()
	// A group of its own, so that no message about another one is edited.
	id := newMessageID(start)
	m := receiver.Message{
		ID:                 id,
		Receiver:           t.key.Receiver,
		GroupKey:           "{}/trial:" + id,
		GroupLabels:        model.LabelSet{model.AlertNameLabel: about.Labels[model.AlertNameLabel]},
		Alerts:             []*alert.Alert{about},
		Reason:             reason,
		NotificationReason: notify.ReasonFirstNotification.String(),
		QueuedAt:           start,
	}
	j := &job{attempt: 1}
	d := &destination{key: t.key, hidden: t.hidden}
	w := worker{outbox: a.outbox, destination: d, sender: t.sender, timeout: cfg.timeout(t.key.Integration)}
	receipt, err := w.send(ctx, j, m)
	end := time.Now()
	a.outbox.record(d, attempt{job: j, message: m, receipt: receipt, outcome: outcomeOf(err), err: err, start: start, end: end})
	return Trial{
		Integration: strings.TrimPrefix(t.key.String(), t.key.Receiver+"/"),
		Receipt:     receipt,
		Took:        end.Sub(start),
		Err:         err,
	}
}
