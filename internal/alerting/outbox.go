package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// The keys of the outbox's journal. Each ends in a destination, and the first
// two in a group key.
const (
	messagePrefix     = "message/"
	memoPrefix        = "memo/"
	stormPrefix       = "storm/"
	undeliveredPrefix = "undelivered/"
)

func messageKey(d destinationKey, group string) string {
	return messagePrefix + d.String() + "\x00" + group
}

func memoKey(d destinationKey, group string) string {
	return memoPrefix + d.String() + "\x00" + group
}

func stormKey(d destinationKey) string { return stormPrefix + d.String() }

// outbox stands between the pipeline, for which a notification is told when it
// is stored here, and the destinations, each of which has a queue and a worker
// of its own. So nothing that a destination does or fails to do is felt by the
// pipeline or by another destination.
type outbox struct {
	logger  *slog.Logger
	journal *journal
	ledger  *ledger
	metrics outboxMetrics
	alerts  *alerts
	log     durableLog
	// halted breaks off all attempts; halt makes it so.
	halted  context.Context
	halt    context.CancelFunc
	workers sync.WaitGroup
	// acknowledged has who took on which of the alerts.
	acknowledged func([]*alert.Alert) map[model.Fingerprint]receiver.Acknowledgement
	// told is called for each message that a destination took.
	told func(Transition)
	// trouble is signalled when a destination begins to fail, or ends to.
	trouble chan struct{}

	seq atomic.Uint64

	mu           sync.Mutex
	destinations map[string]*destination
	// left are destinations of before the restart. They wait for the first
	// configuration to say whether they still are.
	left map[string]*destination
}

// newOutbox takes up what the last process left in d.Dir.
func newOutbox(d Deps, alerts *alerts, log durableLog, acks *acks) (*outbox, error) {
	journal, err := loadJournal(filepath.Join(d.Dir, "outbox"), d.Logger, d.Registerer)
	if err != nil {
		return nil, err
	}
	ledger, err := newLedger(filepath.Join(d.Dir, "ledger"), d.Logger, d.Registerer)
	if err != nil {
		return nil, err
	}
	if d.Attempted != nil {
		ledger.added = d.Attempted
	}
	o := &outbox{
		logger:       d.Logger.With("component", "outbox"),
		journal:      journal,
		ledger:       ledger,
		metrics:      newOutboxMetrics(d.Registerer),
		alerts:       alerts,
		log:          log,
		told:         d.Transition,
		acknowledged: acks.of,
		trouble:      make(chan struct{}, 1),
		destinations: make(map[string]*destination),
		left:         make(map[string]*destination),
	}
	o.halted, o.halt = context.WithCancel(context.Background())
	if err := o.load(time.Now()); err != nil {
		o.logger.Error("Some messages of before the restart are forgotten", "err", err)
	}
	if err := d.Registerer.Register(newOutboxCollector(o)); err != nil {
		return nil, err
	}
	return o, nil
}

// run keeps what is on disk up to date until ctx ends.
func (o *outbox) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { o.journal.run(ctx) })
	defer o.ledger.stop()
	defer o.halt()
	t := time.NewTicker(ledgerSync)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			o.ledger.sync()
		case <-ctx.Done():
			return
		}
	}
}

// load takes up what the last process left.
func (o *outbox) load(now time.Time) error {
	var errs []error
	o.journal.each(stormPrefix, func(key string, value []byte) {
		var s storm
		if err := json.Unmarshal(value, &s); err != nil {
			errs = append(errs, fmt.Errorf("storm of %q in the outbox: %w", key, err))
			return
		}
		o.leftBehind(key, now).storm = &s
	})
	o.journal.each(messagePrefix, func(key string, value []byte) {
		destination, _, _ := strings.Cut(key, "\x00")
		s, err := decodeState(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("message for %q in the outbox: %w", destination, err))
			return
		}
		o.log.ensure(s)
		d := o.leftBehind(destination, now)
		d.key = s.Destination
		sl := &slot{waiting: s}
		d.slots[s.GroupKey] = sl
		if d.storm == nil {
			d.fresh = append(d.fresh, sl)
		}
		o.seq.Store(max(o.seq.Load(), s.Seq))
	})
	for _, d := range o.left {
		slices.SortFunc(d.fresh, func(a, b *slot) int { return int(a.waiting.Seq) - int(b.waiting.Seq) })
	}
	return errors.Join(errs...)
}

// waiting are the alerts of the messages that the last process left, in the
// state that they tell of.
func (o *outbox) waiting() (alerts []*alert.Alert) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.left {
		for _, sl := range d.slots {
			if sl.waiting.RouteID != "" { // Else it is a test's.
				alerts = append(alerts, sl.waiting.Alerts...)
			}
		}
	}
	return alerts
}

func (o *outbox) leftBehind(name string, now time.Time) *destination {
	d := o.left[name]
	if d == nil {
		d = newDestination(destinationKey{}, o.journal, now)
		o.left[name] = d
	}
	return d
}

// adopt makes the destinations of a plan the ones that there are. What waits for
// others will never be delivered.
func (o *outbox) adopt(p *plan, now time.Time) []*destination {
	o.mu.Lock()
	kept := make(map[string]*destination, len(p.destinations))
	for _, t := range p.destinations {
		name := t.key.String()
		d := o.destinations[name]
		if d == nil {
			if d = o.left[name]; d == nil {
				d = newDestination(t.key, o.journal, now)
			}
			d.key, d.hidden = t.key, t.hidden
		}
		kept[name] = d
	}
	gone := make(map[string]*destination)
	for _, before := range []map[string]*destination{o.destinations, o.left} {
		for name, d := range before {
			if kept[name] == nil {
				gone[name] = d
			}
		}
	}
	o.destinations, o.left = kept, nil
	o.mu.Unlock()

	for name, d := range gone {
		o.abandon(name, d, now)
	}
	all := make([]*destination, len(p.destinations))
	for i, t := range p.destinations {
		all[i] = kept[t.key.String()]
		all[i].renew(p.delivery.settings(t.key.Receiver))
		if !t.hidden {
			o.metrics.init(t.key)
		}
	}
	return all
}

// abandon drops what waits for a destination that is not configured any more.
func (o *outbox) abandon(name string, d *destination, now time.Time) {
	d.mu.Lock()
	slots := d.slots
	d.slots, d.fresh, d.tried, d.storm = make(map[string]*slot), nil, nil, nil
	o.journal.delete(stormPrefix + name)
	o.journal.delete(undeliveredPrefix + name)
	for group := range slots {
		o.journal.delete(messagePrefix + name + "\x00" + group)
	}
	d.mu.Unlock()

	if len(slots) == 0 {
		return
	}
	o.logger.Error("Messages wait for a destination that the configuration no longer has; nobody gets them",
		"destination", name, "messages", len(slots))
	for _, sl := range slots {
		if state := sl.waiting; state != nil {
			j := &job{slot: sl, state: state}
			o.record(d, attempt{job: j, message: o.message(d.key, j), outcome: OutcomeDropped, err: errDropped, start: now, end: now})
		}
	}
}

var errDropped = errors.New("the configuration no longer has this destination")

// destination returns a destination by its name, or nil.
func (o *outbox) destination(name string) *destination {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.destinations[name]
}

// shown returns the destinations that are not hidden, in order.
func (o *outbox) shown() []*destination {
	o.mu.Lock()
	defer o.mu.Unlock()
	shown := make([]*destination, 0, len(o.destinations))
	for _, name := range slices.Sorted(maps.Keys(o.destinations)) {
		if d := o.destinations[name]; !d.hidden {
			shown = append(shown, d)
		}
	}
	return shown
}

// integrations are a plan's receivers as the pipeline sees them: each one takes
// a notification by storing it.
func (o *outbox) integrations(p *plan) map[string][]notify.Integration {
	all := make(map[string][]notify.Integration, len(p.receivers))
	for name, own := range p.receivers {
		stored := make([]notify.Integration, len(own))
		for i := range own {
			key := destinationKey{Receiver: name, Integration: own[i].Name(), Index: own[i].Index()}
			stored[i] = notify.NewIntegration(&storing{o, o.destination(key.String())}, &own[i], key.Integration, key.Index, name)
		}
		all[name] = stored
	}
	return all
}

// storing is the notifier of a destination that only stores.
type storing struct {
	outbox      *outbox
	destination *destination
}

// waitPoll is how often a message that could not be stored is looked after.
const waitPoll = 50 * time.Millisecond

// Notify implements notify.Notifier. It returns when the message is on disk; if
// the disk refuses, when it is delivered, as if there were no outbox.
func (n *storing) Notify(ctx context.Context, alerts ...*alert.Alert) (retry bool, err error) {
	d := n.destination
	if alerts = withoutTrouble(d.key, alerts); len(alerts) == 0 {
		return false, nil
	}
	state := n.outbox.state(ctx, d, alerts)
	if err := d.put(state, state.QueuedAt); err != nil {
		n.outbox.metrics.refused.Inc()
		return true, fmt.Errorf("store notification for %s: %w", d.key, err)
	}
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	for {
		refusal := n.outbox.journal.awaitDisk(ctx)
		if refusal == nil || !d.waits(state.GroupKey, state.Seq) {
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return true, fmt.Errorf("notification for %s is neither stored nor delivered: %w", d.key, refusal)
		}
	}
}

// state is what the pipeline says about a group.
func (o *outbox) state(ctx context.Context, d *destination, alerts []*alert.Alert) *groupState {
	now := time.Now()
	s := &groupState{ID: newMessageID(now), Destination: d.key, Alerts: alerts, QueuedAt: now, Since: now, Seq: o.seq.Add(1)}
	s.GroupKey, _ = notify.GroupKey(ctx)
	s.GroupLabels, _ = notify.GroupLabels(ctx)
	s.Firing, _ = notify.FiringAlerts(ctx)
	s.Resolved, _ = notify.ResolvedAlerts(ctx)
	s.RouteID, _ = notify.RouteID(ctx)
	s.RouteLabels, _ = notify.RouteLabels(ctx)
	s.RepeatInterval, _ = notify.RepeatInterval(ctx)
	reason, _ := notify.NotificationReason(ctx)
	s.NotifyReason, s.Reason = reason.String(), reasonOf(reason)
	s.Values = o.alerts.valuesOf(alerts)
	s.Origins = o.alerts.origins.take(d.key, alerts)
	if d.hidden {
		return s
	}
	for _, origin := range s.Origins {
		o.metrics.latency.WithLabelValues(string(StageGroup)).Observe(now.Sub(origin.Put).Seconds())
	}
	return s
}
