// Package event turns facts that are not samples into alerts: an exchange has
// banned an address, a service restarts in a loop, a source of data is gone. A
// fact has no rule that sees it end, so it stays until somebody clears it or
// its time is over, also across a crash.
//
// It knows neither who is told nor how; what it sends enters by the one door,
// package intake. Start with [New].
package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

const (
	// maxEvents bounds how many events are kept, and maxBytes what the labels
	// and annotations of one may take.
	maxEvents = 10000
	maxBytes  = 16 << 10
	// resendDelay is how often an active event is sent again. The alert of one
	// that is not resolves after resendsMissed of them, as Prometheus' do.
	resendDelay   = time.Minute
	resendsMissed = 4
	// resolvedRetention is how long a cleared event is sent as resolved, in case
	// the first time was not heard. Prometheus' value.
	resolvedRetention = 15 * time.Minute
)

var (
	// ErrUnknown says that no event with the key is active.
	ErrUnknown = errors.New("no such event is active")
	// ErrInvalid says that an event is not well formed.
	ErrInvalid = errors.New("invalid event")
	// ErrTooMany says that the bound of active events is reached.
	ErrTooMany = fmt.Errorf("%d events are active already; clear those that are over", maxEvents)
	// ErrNotSaved says that a change was made and told, and a crash would undo
	// it, because the disk refuses.
	ErrNotSaved = errors.New("the change holds until the next restart only")
)

// Event is a fact that somebody should know.
type Event struct {
	// Key tells events apart. Raising a key again replaces its event; empty
	// means that name and labels are the key.
	Key string `json:"key,omitempty"`
	// Name becomes the label alertname, Severity the label severity.
	Name        string            `json:"name"`
	Severity    string            `json:"severity,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Until is when the event is over by itself; zero means never.
	Until time.Time `json:"until,omitzero"`
}

// State is an event with what became of it.
type State struct {
	Event
	RaisedAt  time.Time `json:"raisedAt"`
	ClearedAt time.Time `json:"clearedAt,omitzero"` // Zero while it is active.
}

// Deps are the parts that Events work with.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Path is the file that keeps the events.
	Path string
	// Send takes alerts over. An alert whose EndsAt has passed is resolved.
	Send func(context.Context, ...*notifier.Alert)
}

// Events keeps the active events and sends them.
type Events struct {
	logger  *slog.Logger
	send    func(context.Context, ...*notifier.Alert)
	journal *journal.Journal
	active  prometheus.Gauge
	refused prometheus.Counter
	wake    chan struct{} // One slot: the next moment to act has changed.

	// turn has one slot; who holds it may read and change states. Unlike a mutex
	// it is waited for with a deadline, which a slow disk makes worthwhile.
	turn   chan struct{}
	states map[string]State
}

// New returns Events with those of before the last stop or crash. They are sent
// when Run starts.
func New(d Deps) (*Events, error) {
	j, damaged, err := journal.Open(d.Path)
	if err != nil {
		return nil, fmt.Errorf("load events: %w", err)
	}
	if damaged > 0 {
		d.Logger.Warn("Part of the saved events could not be read", "file", d.Path, "bytes", damaged)
	}
	e := &Events{
		logger:  d.Logger,
		send:    d.Send,
		journal: j,
		wake:    make(chan struct{}, 1),
		turn:    make(chan struct{}, 1),
		states:  map[string]State{},
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hedgewatch_events_active",
			Help: "Events that were raised and not cleared.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_events_refused_total",
			Help: "Events that were not raised because too many are active.",
		}),
	}
	for key, value := range j.All() {
		var s State
		if err := json.Unmarshal(value, &s); err != nil {
			return nil, fmt.Errorf("load events from %q: %q: %w; remove its line", d.Path, key, err)
		}
		e.set(key, s)
	}
	return e, errors.Join(d.Registerer.Register(e.active), d.Registerer.Register(e.refused))
}

// Run sends active events again and ends those whose time is over, until ctx
// ends.
func (e *Events) Run(ctx context.Context) error {
	defer func() {
		e.turn <- struct{}{}
		defer func() { <-e.turn }()
		if err := e.journal.Close(); err != nil {
			e.logger.Error("Events not closed cleanly", "err", err)
		}
	}()
	resend := time.Now()
	for {
		now := time.Now()
		next, err := e.pass(ctx, now, !now.Before(resend))
		if err != nil {
			return nil // ctx has ended.
		}
		if !now.Before(resend) {
			resend = now.Add(resendDelay)
		}
		if next.IsZero() || next.After(resend) {
			next = resend
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
		case <-time.After(time.Until(next)):
		}
	}
}

// pass ends what is over by now, and sends everything if resend is set. It
// returns when the next event is over.
func (e *Events) pass(ctx context.Context, now time.Time, resend bool) (next time.Time, err error) {
	if err := e.take(ctx); err != nil {
		return next, err
	}
	defer e.release()
	var changes []journal.Change
	var alerts []*notifier.Alert
	for key, s := range e.states {
		ended := s.active() && !s.Until.IsZero() && !now.Before(s.Until)
		switch {
		case ended:
			s.ClearedAt = now
			changes = append(changes, e.set(key, s))
		case !s.active() && now.Sub(s.ClearedAt) > resolvedRetention:
			delete(e.states, key)
			changes = append(changes, journal.Change{Key: key})
			continue
		case s.active() && !s.Until.IsZero() && (next.IsZero() || s.Until.Before(next)):
			next = s.Until
		}
		if resend || ended {
			if a := e.alert(s, now); a != nil {
				alerts = append(alerts, a)
			}
		}
	}
	if len(changes) > 0 {
		if err := e.journal.Write(changes...); err != nil {
			e.logger.Error("Events not saved", "err", err)
		}
	}
	if len(alerts) > 0 {
		e.send(ctx, alerts...)
	}
	return next, nil
}

// Raise makes the event active and returns when it is on disk and handed over.
// An event that is active as it is now stays untouched. With an error that is
// [ErrNotSaved] the event is raised all the same.
func (e *Events) Raise(ctx context.Context, ev Event) (State, error) {
	if err := ev.validate(); err != nil {
		return State{}, err
	}
	ev.Key = ev.key()
	if err := e.take(ctx); err != nil {
		return State{}, err
	}
	defer e.release()
	now := time.Now()
	if !ev.Until.IsZero() && !ev.Until.After(now) {
		return State{}, fmt.Errorf("%w: it was over at %s", ErrInvalid, ev.Until.Format(time.RFC3339))
	}
	before, known := e.states[ev.Key]
	known = known && before.active()
	if known && before.equal(ev) {
		return before, nil
	}
	s := State{Event: ev, RaisedAt: now}
	moved := known && !labels.Equal(before.labels(), s.labels())
	if known && !moved {
		s.RaisedAt = before.RaisedAt
	}
	changes, err := e.makeRoom(ev.Key)
	if err != nil {
		e.refused.Inc()
		return State{}, err
	}
	saved := e.journal.Write(append(changes, e.set(ev.Key, s))...)
	alerts := []*notifier.Alert{e.alert(s, now)}
	if moved {
		// The key stands for another alert now; nobody else ends the old one.
		before.ClearedAt = now
		if a := e.alert(before, now); a != nil {
			alerts = append(alerts, a)
		}
	}
	e.send(ctx, alerts...)
	e.rouse()
	return s, notSaved(saved)
}

// Clear ends the event with the key and returns when that is on disk and handed
// over. An error that is [ErrUnknown] says that there is none.
func (e *Events) Clear(ctx context.Context, key string) (State, error) {
	if err := e.take(ctx); err != nil {
		return State{}, err
	}
	defer e.release()
	s, known := e.states[key]
	if !known || !s.active() {
		return State{}, fmt.Errorf("clear event %q: %w", key, ErrUnknown)
	}
	s.ClearedAt = time.Now()
	saved := e.journal.Write(e.set(key, s))
	if a := e.alert(s, s.ClearedAt); a != nil {
		e.send(ctx, a)
	}
	return s, notSaved(saved)
}

// List returns the events that are active, or were until minutes ago, the
// newest first.
func (e *Events) List(ctx context.Context) ([]State, error) {
	if err := e.take(ctx); err != nil {
		return nil, err
	}
	defer e.release()
	// Of a known length, and so never nil: JSON has an empty list for no events.
	list := slices.AppendSeq(make([]State, 0, len(e.states)), maps.Values(e.states))
	slices.SortFunc(list, func(a, b State) int {
		if c := b.RaisedAt.Compare(a.RaisedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	return list, nil
}

func (e *Events) take(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for other events: %w", ctx.Err())
	}
}

func (e *Events) release() { <-e.turn }

func (e *Events) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// makeRoom lets a new event in, at the price of the one that was cleared first.
func (e *Events) makeRoom(key string) ([]journal.Change, error) {
	if _, known := e.states[key]; known || len(e.states) < maxEvents {
		return nil, nil
	}
	oldest := ""
	for key, s := range e.states {
		if !s.active() && (oldest == "" || s.ClearedAt.Before(e.states[oldest].ClearedAt)) {
			oldest = key
		}
	}
	if oldest == "" {
		return nil, ErrTooMany
	}
	delete(e.states, oldest)
	return []journal.Change{{Key: oldest}}, nil
}

// set notes the state of key and returns the change to save.
func (e *Events) set(key string, s State) journal.Change {
	if before, known := e.states[key]; known && before.active() {
		e.active.Dec()
	}
	if s.active() {
		e.active.Inc()
	}
	e.states[key] = s
	// A State is made of strings and times, and those encode.
	c, _ := journal.Set(key, s)
	return c
}

// alert is the alert for s, or nil if s has ended and another active event
// means the same alert.
func (e *Events) alert(s State, now time.Time) *notifier.Alert {
	a := &notifier.Alert{
		Labels:      s.labels(),
		Annotations: labels.FromMap(s.Annotations),
		StartsAt:    s.RaisedAt,
		EndsAt:      now.Add(resendsMissed * resendDelay),
	}
	if !s.active() {
		for _, other := range e.states {
			if other.active() && labels.Equal(other.labels(), a.Labels) {
				return nil
			}
		}
		a.EndsAt = s.ClearedAt
	} else if !s.Until.IsZero() && s.Until.Before(a.EndsAt) {
		a.EndsAt = s.Until
	}
	return a
}

func (s State) active() bool { return s.ClearedAt.IsZero() }

func (ev Event) labels() labels.Labels {
	b := labels.NewBuilder(labels.FromMap(ev.Labels))
	b.Set(labels.AlertName, ev.Name)
	if ev.Severity != "" {
		b.Set("severity", ev.Severity)
	}
	return b.Labels()
}

// key is the key, or name and labels in one spelling.
func (ev Event) key() string {
	if ev.Key != "" {
		return ev.Key
	}
	return ev.labels().String()
}

func (ev Event) equal(o Event) bool {
	return ev.Key == o.Key && ev.Name == o.Name && ev.Severity == o.Severity && ev.Until.Equal(o.Until) &&
		maps.Equal(ev.Labels, o.Labels) && maps.Equal(ev.Annotations, o.Annotations)
}

func (ev Event) validate() error {
	if ev.Name == "" {
		return fmt.Errorf("%w: it needs a name", ErrInvalid)
	}
	size := len(ev.Key) + len(ev.Name) + len(ev.Severity)
	set := ev.labels()
	err := set.Validate(func(l labels.Label) error {
		switch {
		case !model.UTF8Validation.IsValidLabelName(l.Name) || strings.HasPrefix(l.Name, model.ReservedLabelPrefix):
			return fmt.Errorf("%w: label name %q", ErrInvalid, l.Name)
		case !model.LabelValue(l.Value).IsValid():
			return fmt.Errorf("%w: the value of label %q is not UTF-8", ErrInvalid, l.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range []map[string]string{ev.Labels, ev.Annotations} {
		for name, value := range m {
			size += len(name) + len(value)
		}
	}
	for name, value := range ev.Annotations {
		if !model.UTF8Validation.IsValidLabelName(name) || !model.LabelValue(value).IsValid() {
			return fmt.Errorf("%w: annotation %q", ErrInvalid, name)
		}
	}
	if size > maxBytes {
		return fmt.Errorf("%w: labels and annotations have %d bytes; at most %d", ErrInvalid, size, maxBytes)
	}
	return nil
}

func notSaved(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNotSaved, err)
}
