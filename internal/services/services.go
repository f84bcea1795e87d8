// Package services watches services that end and start again: it sees a loop at
// once, says why, and makes one incident of it.
//
// A watcher, one per platform, tells what it sees as an [Observation] to its
// [Feed]. Per instance a state machine decides whether that is a loop, a
// classifier finds the cause in the status and the last lines of the log, and
// services that fail because of another one hang below that one's incident.
//
// The package knows no platform's API (its members do) and does not restart
// anything. Start with [New].
package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

const (
	// MaxInstances bounds what is watched; what comes after is counted.
	MaxInstances = 50000
	// workers settle services at the same time, each waiting for one log.
	workers = 4
	// logDeadline is how long an incident waits for the log that explains it.
	logDeadline = time.Second
	// tellDeadline bounds one raise or clear.
	tellDeadline = 10 * time.Second
	// tick is how often time alone is looked at: recoveries and blindness.
	tick = time.Second
	// blindPatience is how long a watcher may be without its platform before
	// somebody hears: daemons are restarted.
	blindPatience = 15 * time.Second
)

// Config says what is a loop and what matters.
type Config struct {
	// Steady is how long a service has to run before its incident is over.
	Steady model.Duration `yaml:"steady"`
	// Critical are the services, by name or pattern as in "order-*", of which a
	// single crash is an incident.
	Critical []string `yaml:"critical,omitempty"`
}

// DefaultConfig takes the time after which Kubernetes forgets a crash.
func DefaultConfig() Config { return Config{Steady: model.Duration(10 * time.Minute)} }

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Steady < model.Duration(10*time.Second) || c.Steady > model.Duration(24*time.Hour) {
		errs = append(errs, fmt.Errorf("steady: %s; use 10s to 24h", c.Steady))
	}
	for i, pattern := range c.Critical {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			errs = append(errs, fmt.Errorf("critical[%d]: %q is no pattern; use names and *", i, pattern))
		}
	}
	return errors.Join(errs...)
}

func (c Config) critical(service string) bool {
	for _, pattern := range c.Critical {
		if ok, _ := path.Match(pattern, service); ok {
			return true
		}
	}
	return false
}

// Deps are the parts that Services work with.
type Deps struct {
	Logger *slog.Logger
	// Raise tells people of an incident, or that it has changed; Clear that it
	// is over. Both may be repeated.
	Raise func(context.Context, Incident) error
	Clear func(ctx context.Context, key string) error
	// Active returns the keys of incidents that were raised before this start.
	Active func(context.Context) ([]string, error)
	// Throttling asks somebody else how a CPU limit has held an instance back, when
	// its platform does not say and its probe fails. It returns nil if nobody knows;
	// nil if nobody can be asked.
	Throttling func(context.Context, Key) *Throttling
	// Changed is called when something of [Overview] has changed. It must not
	// wait; nil if nobody wants to know.
	Changed func()
}

// Services is what is known of all instances. It is safe for concurrent use.
type Services struct {
	logger *slog.Logger
	deps   Deps
	wake   chan struct{} // One slot: there is something to settle.
	ready  chan struct{}

	mu       sync.Mutex
	config   Config
	services map[ServiceKey]*service
	// failing are those with an incident or a recent exit; few of many.
	failing   map[ServiceKey]*service
	related   related
	dirty     []*service // Each once, in the order of arrival.
	instances int
	dropped   uint64 // Observations beyond MaxInstances.
	untold    uint64 // Raises and clears that failed.
	feeds     map[Platform]*Feed
	inherited map[string]bool // Incidents of before the start that nobody has taken over.
}

// New returns Services that know nothing yet; Feed connects watchers.
func New(c Config, d Deps) (*Services, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d.Changed == nil {
		d.Changed = func() {}
	}
	return &Services{
		logger:    d.Logger,
		deps:      d,
		wake:      make(chan struct{}, 1),
		ready:     make(chan struct{}),
		config:    c,
		services:  map[ServiceKey]*service{},
		failing:   map[ServiceKey]*service{},
		related:   newRelated(),
		feeds:     map[Platform]*Feed{},
		inherited: map[string]bool{},
	}, nil
}

// Prepare checks a new configuration and returns what makes it current.
func (s *Services) Prepare(c Config) (commit func(), err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.config = c
	}, nil
}

// Ready is closed when the incidents of before are taken over, and watchers may
// start.
func (s *Services) Ready() <-chan struct{} { return s.ready }

// Run settles what watchers report until ctx ends. It is called once.
func (s *Services) Run(ctx context.Context) error {
	s.inherit(ctx)
	close(s.ready)
	var running sync.WaitGroup
	defer running.Wait()
	queue := make(chan *service)
	for range workers {
		running.Go(func() {
			for svc := range queue {
				s.settle(ctx, svc)
			}
		})
	}
	defer close(queue)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		for svc := s.next(); svc != nil; svc = s.next() {
			select {
			case queue <- svc:
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-ticker.C:
			s.pass(ctx, time.Now())
		}
	}
}

// inherit remembers what was raised before, to end what is over meanwhile.
func (s *Services) inherit(ctx context.Context) {
	keys, err := s.deps.Active(ctx)
	if err != nil {
		s.logger.Warn("Incidents of before the start unknown; those that are over stay until they are cleared by hand", "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if _, ok := keyPlatform(key); ok {
			s.inherited[key] = true
		}
	}
}

// adopt makes an incident of before the start one of ours. It ends as all do.
func (s *Services) adopt(svc *service) {
	delete(s.inherited, svc.key.incident())
	svc.told = true
	for _, in := range svc.instances {
		in.looping = true
	}
	s.touch(svc)
}

// touch queues svc to be settled, once.
func (s *Services) touch(svc *service) {
	if !svc.dirty {
		svc.dirty = true
		if !svc.busy {
			s.dirty = append(s.dirty, svc)
		}
	}
	s.rouse()
}

func (s *Services) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes a service off the queue, nil if it is empty. It is busy until
// settle is done with it, so that what is told of one service has an order.
func (s *Services) next() *service {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirty) == 0 {
		s.dirty = nil
		return nil
	}
	svc := s.dirty[0]
	s.dirty = s.dirty[1:]
	svc.dirty, svc.busy = false, true
	return svc
}

// pass looks at what changes by time alone.
func (s *Services) pass(ctx context.Context, now time.Time) {
	s.mu.Lock()
	for _, svc := range s.failing {
		s.touch(svc)
	}
	var blind []*Feed
	for _, f := range s.feeds {
		if f.shouldTell(now) {
			blind = append(blind, f)
		}
	}
	s.mu.Unlock()
	for _, f := range blind {
		f.tell(ctx)
	}
}
