package groups_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/services/groups"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is what a look sees; a test changes it.
type machine struct {
	*services.Services
	t *testing.T

	mu     sync.Mutex
	groups map[string]groups.Group
	kills  uint64
	err    error
	raised map[string]services.Incident
	ever   map[string]bool
}

func (m *machine) look(context.Context) (groups.Sight, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := groups.Sight{OOMKills: new(m.kills)}
	for _, g := range m.groups {
		s.Groups = append(s.Groups, g)
	}
	return s, m.err
}

// set changes what there is, and lets the watcher look.
func (m *machine) set(name string, processes, restarts int) {
	m.mu.Lock()
	m.groups[name] = groups.Group{Name: name, Processes: processes, Restarts: restarts}
	m.mu.Unlock()
	m.pass(1500 * time.Millisecond)
}

func (m *machine) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (m *machine) status(name string) services.Status {
	for _, s := range m.Overview().Services {
		if s.Service == name {
			return s
		}
	}
	return services.Status{}
}

func (m *machine) incident(name string) (services.Incident, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in, ok := m.raised["service/process//"+name+"/"]
	return in, ok
}

func on(t *testing.T, f func(*machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, groups: map[string]groups.Group{}, raised: map[string]services.Incident{}, ever: map[string]bool{}}
		cfg := services.DefaultConfig()
		cfg.Critical = []string{"order-*"}
		var err error
		m.Services, err = services.New(cfg, services.Deps{
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Raise: func(_ context.Context, in services.Incident) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.raised[in.Key], m.ever[in.Key] = in, true
				return nil
			},
			Clear: func(_ context.Context, key string) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				delete(m.raised, key)
				return nil
			},
			Active: func(context.Context) ([]string, error) { return nil, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		w, err := groups.New(groups.Config{Groups: []string{"feed", "order-*"}}, m.look, m.Services)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, run := range []func(context.Context) error{m.Run, w.Run} {
			running.Go(func() {
				if err := run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		f(m)
		cancel()
		running.Wait()
	})
}

func TestProcessesThatAreReplacedAreARestart(t *testing.T) {
	on(t, func(m *machine) {
		m.set("feed", 1, 0)
		m.set("feed", 0, 0)
		if s := m.status("feed"); s.State != services.StateRestarting || len(s.Ends) != 1 || !s.LastExit.Unseen {
			t.Errorf("got %s with ends %v and exit %+v, want one end that nobody saw", s.State, s.Ends, s.LastExit)
		}
		m.set("feed", 1, 1)
		if s := m.status("feed"); s.State != services.StateRunning || len(s.Ends) != 1 || s.Restarts != 1 {
			t.Errorf("got %s with ends %v and %d restarts, want the same end", s.State, s.Ends, s.Restarts)
		}
		if _, raised := m.incident("feed"); raised {
			t.Error("got an incident for one end of a service that is not critical")
		}
		m.set("feed", 1, 2) // Within one second.
		in, raised := m.incident("feed")
		if s := m.status("feed"); !raised || in.Annotations["cause"] != "unknown" || len(s.Ends) != 2 {
			t.Errorf("got %v with ends %v, want a loop of two ends without a cause", in.Annotations, s.Ends)
		}
		m.pass(30 * time.Minute)
		if _, raised := m.incident("feed"); raised {
			t.Error("got the incident still open after half an hour of running")
		}
	})
}

func TestGroupThatStaysAwayHasGivenUp(t *testing.T) {
	on(t, func(m *machine) {
		m.set("feed", 2, 0)
		m.set("feed", 1, 0)
		if s := m.status("feed"); len(s.Ends) != 0 {
			t.Errorf("got ends %v, want none while the group has a process", s.Ends)
		}
		m.set("feed", 0, 0)
		m.pass(50 * time.Second)
		if _, raised := m.incident("feed"); raised {
			t.Error("got an incident before the minute was over")
		}
		m.pass(20 * time.Second)
		if in, raised := m.incident("feed"); !raised || m.status("feed").State != services.StateGaveUp {
			t.Errorf("got %v, want an incident for a group that is gone for a minute", in.Annotations)
		}
		m.set("feed", 1, 1)
		m.pass(11 * time.Minute)
		if _, raised := m.incident("feed"); raised {
			t.Error("got the incident still open although the group is back")
		}
	})
}

func TestCriticalGroupAndTheKernelsKill(t *testing.T) {
	on(t, func(m *machine) {
		m.set("order-router", 1, 0)
		m.mu.Lock()
		m.kills = 3 // What was before is not news.
		m.mu.Unlock()
		m.pass(5 * time.Second)
		m.mu.Lock()
		m.kills++
		m.mu.Unlock()
		m.set("order-router", 0, 0)
		in, raised := m.incident("order-router")
		if !raised || in.Annotations["cause"] != "resource" || !m.status("order-router").LastExit.OOM {
			t.Errorf("got %v, want a lack of memory", in.Annotations)
		}
	})
}

func TestKernelNamesTheGroupThatItHasKilled(t *testing.T) {
	on(t, func(m *machine) {
		put := func(name string, processes int, oom string) {
			m.mu.Lock()
			m.groups[name] = groups.Group{Name: name, Processes: processes, OOM: oom, OOMKnown: true}
			m.mu.Unlock()
		}
		for _, name := range []string{"order-router", "order-book"} {
			put(name, 1, "")
		}
		m.pass(3 * time.Second)
		m.mu.Lock()
		m.kills++
		m.mu.Unlock()
		put("order-router", 1, "Memory cgroup out of memory: Killed process 4711 (router)")
		put("order-book", 0, "") // It has ended in the same second, for a reason of its own.
		m.pass(2 * time.Second)
		put("order-router", 0, "") // Its memory is freed before it is gone.
		m.pass(2 * time.Second)
		if in, _ := m.incident("order-router"); in.Annotations["cause"] != "resource" || !strings.Contains(in.Annotations["evidence"], "4711") {
			t.Errorf("got %v, want the kernel's words", in.Annotations)
		}
		if in, _ := m.incident("order-book"); in.Annotations["cause"] != "unknown" {
			t.Errorf("got %v, want what nobody knows", in.Annotations)
		}
	})
}

func TestGroupThatWasNeverThereIsNoTrouble(t *testing.T) {
	on(t, func(m *machine) {
		m.set("order-router", 0, 0)
		m.pass(time.Hour)
		if s := m.status("order-router"); s.State != services.StateStarting || len(m.ever) != 0 {
			t.Errorf("got %s and %v, want a group that waits for its first process", s.State, m.ever)
		}
		m.set("other", 1, 0)
		if s := m.status("other"); s.Instance != "" {
			t.Errorf("got %s, want only the groups that are named", s.Service)
		}
		m.mu.Lock()
		delete(m.groups, "order-router") // The configuration has changed.
		m.mu.Unlock()
		m.pass(2 * time.Second)
		if s := m.status("order-router"); s.Instance != "" {
			t.Errorf("got %s, want it forgotten", s.Service)
		}
	})
}

func TestWhatCannotBeSeenIsNotGone(t *testing.T) {
	on(t, func(m *machine) {
		m.set("order-router", 1, 0)
		m.mu.Lock()
		m.groups["order-router"] = groups.Group{Name: "order-router", Unknown: true}
		m.mu.Unlock()
		m.pass(10 * time.Second)
		m.mu.Lock()
		m.err = errors.New("processes of other users are out of sight")
		m.mu.Unlock()
		m.pass(30 * time.Second)
		w := m.Overview().Watchers[0]
		if w.Sees || w.Platform != services.Process || w.Error != "processes of other users are out of sight" {
			t.Errorf("got %+v, want a blind watcher that says why", w)
		}
		if m.ever["service/process//order-router/"] {
			t.Error("got an incident for a group that could not be seen")
		}
		m.mu.Lock()
		m.err = nil
		m.mu.Unlock()
		m.set("order-router", 1, 0)
		m.pass(time.Minute)
		if s := m.status("order-router"); !m.Overview().Watchers[0].Sees || s.State != services.StateRunning || len(s.Ends) != 0 {
			t.Errorf("got %s with ends %v, want it running without an end", s.State, s.Ends)
		}
	})
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	if err := groups.DefaultConfig().Validate(); err != nil {
		t.Errorf("got %v for the defaults", err)
	}
	for _, bad := range [][]string{nil, {""}, {"["}} {
		if err := (groups.Config{Groups: bad}).Validate(); err == nil {
			t.Errorf("got no error for %q", bad)
		}
	}
}
