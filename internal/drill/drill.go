package drill

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/journal"
	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/schedule"
)

const (
	testAlert   = "HedgewatchTest"
	failedAlert = "DrillFailed"
	guide       = "https://github.com/hedgewatch/hedgewatch/blob/main/docs/trust.md#drills"

	// testTimeout bounds a test of one receiver, with all of its integrations.
	testTimeout = time.Minute
	// maxRest bounds how long Run sleeps, since clocks are set.
	maxRest = time.Minute
)

// ErrUnknownReceiver says that no receiver has the name.
var ErrUnknownReceiver = errors.New("no such receiver")

// Attempt is what became of a message at one integration of a receiver.
type Attempt struct {
	Integration string  `json:"integration"` // such as discord[0]
	Delivered   bool    `json:"delivered"`
	Seconds     float64 `json:"seconds"`
	// Status is the code of the answer, 0 if there was none or it is unknown.
	Status   int    `json:"status,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Answer   string `json:"answer,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Result is the outcome of a test.
type Result struct {
	Receiver string    `json:"receiver"`
	At       time.Time `json:"at"`
	// By is who asked for it; "schedule" is a drill.
	By        string    `json:"by"`
	Delivered bool      `json:"delivered"` // by every integration
	Attempts  []Attempt `json:"attempts"`
	Error     string    `json:"error,omitempty"`
}

// Status is a drill as the API shows it.
type Status struct {
	Receiver string    `json:"receiver"`
	Schedule string    `json:"schedule"`
	TimeZone string    `json:"timeZone"`
	Next     time.Time `json:"next"`
	Last     *Result   `json:"last,omitempty"`
}

// Deps is what Drills need from their surroundings.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Path is the file that keeps the results.
	Path string
	// Alertmanager is the configuration that runs.
	Alertmanager func() *amconfig.Config
	// Try sends one message about an alert to a receiver, past routes, silences
	// and the outbox.
	Try func(ctx context.Context, name string, reason receiver.Reason, about *alert.Alert) ([]Attempt, error)
	// Raise makes an alert fire until it is raised anew with an end.
	Raise func(ctx context.Context, about *alert.Alert) error
}

// Drills test receivers, and remember the results.
type Drills struct {
	deps    Deps
	journal *journal.Journal
	metrics drillMetrics
	wake    chan struct{} // one slot

	mu    sync.Mutex
	plans []plan
	last  map[string]Result
}

type plan struct {
	Plan
	schedule *schedule.Schedule
	next     time.Time
}

type drillMetrics struct {
	lastSuccess *prometheus.GaugeVec
	outcomes    *prometheus.CounterVec
}

// New builds Drills and loads the results at d.Path. It starts nothing.
func New(cfg Config, d Deps) (*Drills, error) {
	s := &Drills{deps: d, wake: make(chan struct{}, 1), last: make(map[string]Result)}
	commit, err := s.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	j, damaged, err := journal.Open(d.Path)
	if err != nil {
		return nil, fmt.Errorf("load results of drills: %w", err)
	}
	s.journal = j
	if damaged > 0 {
		d.Logger.Warn("Some results of drills are forgotten", "file", d.Path, "damaged_bytes", damaged)
	}
	f := promauto.With(d.Registerer)
	s.metrics = drillMetrics{
		lastSuccess: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hedgewatch_receiver_test_last_success_timestamp_seconds",
			Help: "When a receiver last delivered a test message with every integration.",
		}, []string{"receiver"}),
		outcomes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_receiver_tests_total",
			Help: "Test messages to receivers by outcome: delivered or failed.",
		}, []string{"receiver", "outcome"}),
	}
	for name, value := range j.All() {
		var r Result
		if json.Unmarshal(value, &r) != nil {
			continue // Not ours; the next result replaces it.
		}
		s.last[name] = r
		if r.Delivered {
			s.metrics.lastSuccess.WithLabelValues(name).Set(float64(r.At.Unix()))
		}
	}
	commit()
	return s, nil
}

// Prepare checks cfg; commit puts it into force.
func (s *Drills) Prepare(cfg Config) (commit func(), err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	now := time.Now()
	plans := make([]plan, 0, len(cfg))
	for _, p := range cfg {
		when, err := schedule.Parse(p.Schedule, p.TimeZone)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan{Plan: p, schedule: when, next: when.Next(now)})
	}
	return func() {
		s.mu.Lock()
		s.plans = plans
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}, nil
}

// Run holds drills at their times until ctx ends. A drill whose time passed
// while nothing ran is not made up for.
func (s *Drills) Run(ctx context.Context) error {
	for {
		due, next := s.due(time.Now())
		for _, name := range due {
			if _, err := s.Test(ctx, name, bySchedule); err != nil && ctx.Err() == nil {
				s.deps.Logger.Error("A drill could not be held", "receiver", name, "err", err)
			}
		}
		select {
		case <-time.After(min(time.Until(next), maxRest)):
		case <-s.wake:
			s.forget(ctx)
		case <-ctx.Done():
			return s.journal.Close()
		}
	}
}

// bySchedule is who asks for a drill.
const bySchedule = "schedule"

// forget drops the results of receivers that are gone, and failures of those
// that have no drill any more, whose alert nothing else would end.
func (s *Drills) forget(ctx context.Context) {
	s.mu.Lock()
	last := maps.Clone(s.last)
	planned := make(map[string]bool)
	for _, p := range s.plans {
		planned[p.Receiver] = true
	}
	s.mu.Unlock()
	for name, r := range last {
		if s.known(name) == nil && (r.Delivered || planned[name]) {
			continue
		}
		s.mu.Lock()
		delete(s.last, name)
		s.mu.Unlock()
		s.save(journal.Change{Key: name})
		s.metrics.lastSuccess.DeleteLabelValues(name)
		if !r.Delivered {
			s.end(ctx, r)
		}
	}
}

// due returns the receivers whose drill is due, and when the next one is.
func (s *Drills) due(now time.Time) (names []string, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = now.Add(maxRest)
	for i := range s.plans {
		p := &s.plans[i]
		if !p.next.IsZero() && !p.next.After(now) {
			names = append(names, p.Receiver)
			p.next = p.schedule.Next(now)
		}
		if !p.next.IsZero() && p.next.Before(next) {
			next = p.next
		}
	}
	return names, next
}

// Test sends a test message to a receiver and returns what became of it. An
// error says that there was no test.
func (s *Drills) Test(ctx context.Context, name, by string) (Result, error) {
	if err := s.known(name); err != nil {
		return Result{}, err
	}
	now := time.Now()
	result := Result{Receiver: name, At: now.UTC(), By: by}
	trial, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	attempts, err := s.deps.Try(trial, name, receiver.ReasonTest, testMessage(name, by, now))
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	result.Attempts = append([]Attempt{}, attempts...)
	result.Delivered = err == nil && len(attempts) > 0
	switch {
	case err != nil:
		result.Error = err.Error()
	case len(attempts) == 0:
		result.Error = "it has no integrations: nobody hears of its alerts"
	}
	for _, a := range attempts {
		result.Delivered = result.Delivered && a.Delivered
	}
	s.conclude(ctx, result)
	return result, nil
}

// known returns an error that lists the receivers if none has the name.
func (s *Drills) known(name string) error {
	var names []string
	for _, r := range s.deps.Alertmanager().Receivers {
		if r.Name == name {
			return nil
		}
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return fmt.Errorf("%w: %q; there are %s", ErrUnknownReceiver, name, strings.Join(names, ", "))
}

// conclude remembers a result and tells people when a scheduled drill failed.
func (s *Drills) conclude(ctx context.Context, r Result) {
	s.mu.Lock()
	before, known := s.last[r.Receiver]
	s.last[r.Receiver] = r
	s.mu.Unlock()
	outcome := "failed"
	if r.Delivered {
		outcome = "delivered"
		s.metrics.lastSuccess.WithLabelValues(r.Receiver).Set(float64(r.At.Unix()))
	}
	s.metrics.outcomes.WithLabelValues(r.Receiver, outcome).Inc()
	value, _ := json.Marshal(r) // Texts and numbers always marshal.
	s.save(journal.Change{Key: r.Receiver, Value: value})
	switch {
	case !r.Delivered && r.By == bySchedule:
		s.tell(ctx, r)
	case r.Delivered && known && !before.Delivered:
		s.end(ctx, before)
	}
}

func (s *Drills) save(change journal.Change) {
	if err := s.journal.Write(change); err != nil {
		s.deps.Logger.Error("Results of tests would be forgotten at a restart", "err", err)
	}
}

// tell raises an alert about a receiver that failed. Where routing leads to that
// receiver only, all others are told directly.
func (s *Drills) tell(ctx context.Context, r Result) {
	s.deps.Logger.Error("A drill failed: a receiver does not deliver", "receiver", r.Receiver, "err", summary(r))
	about := failure(r)
	s.raise(ctx, about)

	cfg := s.deps.Alertmanager()
	for _, m := range Matches(cfg, about.Labels, time.Now()) {
		if m.Receiver != r.Receiver {
			return
		}
	}
	for _, other := range Receivers(cfg) {
		if other.Name == r.Receiver {
			continue
		}
		trial, cancel := context.WithTimeout(ctx, testTimeout)
		if _, err := s.deps.Try(trial, other.Name, receiver.ReasonFiring, about); err != nil {
			s.deps.Logger.Error("A failed drill was not told to another receiver", "failed", r.Receiver, "other", other.Name, "err", err)
		}
		cancel()
	}
}

// end ends the alert about a failed drill, if there is one.
func (s *Drills) end(ctx context.Context, r Result) {
	about := failure(r)
	about.EndsAt = time.Now()
	s.raise(ctx, about)
}

func (s *Drills) raise(ctx context.Context, about *alert.Alert) {
	if err := s.deps.Raise(ctx, about); err != nil {
		s.deps.Logger.Error("The alert about a drill was not taken", "alert", about.Labels, "err", err)
	}
}

// Statuses returns the drills that are planned.
func (s *Drills) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.plans))
	for _, p := range s.plans {
		status := Status{Receiver: p.Receiver, Schedule: p.Schedule, TimeZone: cmp.Or(p.TimeZone, "UTC"), Next: p.next}
		if r, ok := s.last[p.Receiver]; ok {
			status.Last = &r
		}
		all = append(all, status)
	}
	return all
}

// Last returns the last test of a receiver, if there was one.
func (s *Drills) Last(name string) (Result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.last[name]
	return r, ok
}

func testMessage(name, by string, now time.Time) *alert.Alert {
	return &alert.Alert{
		Alert: model.Alert{
			Labels: model.LabelSet{model.AlertNameLabel: testAlert, "receiver": model.LabelValue(name), "severity": "none"},
			Annotations: model.LabelSet{
				"summary":     model.LabelValue(fmt.Sprintf("This is only a test of the receiver %s.", name)),
				"description": model.LabelValue(fmt.Sprintf("Nothing is wrong, and there is nothing to do. Asked for by %s at %s.", by, now.UTC().Format(time.RFC3339))),
			},
			StartsAt: now,
		},
		UpdatedAt: now,
	}
}

func failure(r Result) *alert.Alert {
	return &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{model.AlertNameLabel: failedAlert, "receiver": model.LabelValue(r.Receiver), "severity": "critical"},
		Annotations: model.LabelSet{
			"summary":     model.LabelValue(fmt.Sprintf("Receiver %s did not deliver a test message.", r.Receiver)),
			"description": model.LabelValue(fmt.Sprintf("The drill of %s failed: %s. Alerts for this receiver do not arrive.", r.At.Format(time.RFC3339), summary(r))),
			"runbook_url": guide,
		},
		StartsAt: r.At,
	}}
}

// summary says why a test failed.
func summary(r Result) string {
	if r.Error != "" {
		return r.Error
	}
	var reasons []string
	for _, a := range r.Attempts {
		if !a.Delivered {
			reasons = append(reasons, a.Integration+": "+a.Error)
		}
	}
	return strings.Join(reasons, "; ")
}
