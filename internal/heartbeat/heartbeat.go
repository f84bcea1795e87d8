// Package heartbeat listens for signs of life and gives them: jobs and services
// report here that they work, and an alert fires when one is late or reports a
// failure; dead man's switches elsewhere hear from us for as long as alerts
// arrive.
//
// Lateness is noticed by a timer at the very deadline, not by a rule. Who is
// told is decided elsewhere: alerts leave by [Deps].Send. Start with [New].
package heartbeat

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/notifier"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

// Deps is what Heartbeats need from their surroundings.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Path is the file that keeps when each heartbeat was last heard.
	Path string
	// Send takes alerts. One that fires is sent again every minute.
	Send func(context.Context, ...*notifier.Alert)
	// Healthy says why an alert would not arrive now, or nil.
	Healthy func() error
	// Client calls the dead man's switches.
	Client *http.Client
}

// Heartbeats are all heartbeats, in and out.
type Heartbeats struct {
	deps    Deps
	metrics metrics
	start   time.Time // before which nobody listened
	journal *journal.Journal

	wake    chan struct{} // one slot: a beat or a change came
	mu      sync.Mutex
	beats   map[string]*beat
	ended   []*notifier.Alert // to be sent
	unsaved map[string]struct{}

	out        atomic.Pointer[[]Out]
	outChanged chan struct{} // one slot
}

// New builds Heartbeats and loads what the last ones kept at d.Path. It starts
// nothing.
func New(cfg Config, d Deps) (*Heartbeats, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Send == nil || d.Healthy == nil || d.Client == nil {
		return nil, errors.New("heartbeats need Send, Healthy and Client")
	}
	h := &Heartbeats{
		deps:       d,
		start:      time.Now(),
		wake:       make(chan struct{}, 1),
		beats:      make(map[string]*beat),
		unsaved:    make(map[string]struct{}),
		outChanged: make(chan struct{}, 1),
	}
	h.apply(cfg)
	if err := h.open(d.Path); err != nil {
		return nil, err
	}
	h.metrics = newMetrics(d.Registerer, h)
	return h, nil
}

// Prepare checks cfg; commit puts it into force.
func (h *Heartbeats) Prepare(cfg Config) (commit func(), err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return func() { h.apply(cfg) }, nil
}

func (h *Heartbeats) apply(cfg Config) {
	now := time.Now()
	h.mu.Lock()
	before := h.beats
	h.beats = make(map[string]*beat, len(cfg.In))
	for _, in := range cfg.In {
		b := newBeat(in, now)
		if old := before[in.Name]; old != nil {
			h.ended = append(h.ended, b.inherit(old, now)...)
			delete(before, in.Name)
		} else {
			h.unsaved[in.Name] = struct{}{}
		}
		h.beats[in.Name] = b
	}
	for name, old := range before {
		h.ended = append(h.ended, old.end(now)...)
		h.unsaved[name] = struct{}{}
	}
	h.mu.Unlock()
	signal(h.wake)
	if old := h.out.Swap(&cfg.Out); old != nil && !slices.Equal(*old, cfg.Out) {
		signal(h.outChanged)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run watches and gives heartbeats until ctx ends.
func (h *Heartbeats) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { h.watch(ctx) })
	running.Go(func() { h.tell(ctx) })
	running.Wait()
	h.deps.Client.CloseIdleConnections()
	return h.journal.Close()
}

// saveInterval bounds how often the file is written.
const saveInterval = time.Second

// watch raises and resolves alerts at their time and keeps the file current.
func (h *Heartbeats) watch(ctx context.Context) {
	var lastSave time.Time
	for {
		now := time.Now()
		alerts, next := h.due(now)
		h.deps.Send(ctx, alerts...)
		if wait := saveInterval - now.Sub(lastSave); wait <= 0 {
			h.save()
			lastSave = now
		} else if h.isUnsaved() {
			next = min(next, wait)
		}
		select {
		case <-h.wake:
		case <-time.After(next):
		case <-ctx.Done():
			h.save()
			return
		}
	}
}

// due returns the alerts to send now and how long it is until the next ones.
func (h *Heartbeats) due(now time.Time) (alerts []*notifier.Alert, next time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	alerts, h.ended = h.ended, nil
	next = resend
	for name, b := range h.beats {
		a, at, changed := b.tick(now)
		alerts = append(alerts, a...)
		next = min(next, at.Sub(now))
		if changed {
			h.unsaved[name] = struct{}{}
		}
	}
	return alerts, next
}
