package docker_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/services/docker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is a watcher with what Services have told.
type board struct {
	t *testing.T
	*services.Services
	stop func()

	mu     sync.Mutex
	raised map[string]services.Incident
	ever   map[string]bool // Keys that were raised at any time.
	events chan string
}

func watch(t *testing.T, address string, critical ...string) *board {
	t.Helper()
	b := &board{t: t, raised: map[string]services.Incident{}, ever: map[string]bool{}, events: make(chan string, 1000)}
	cfg := services.DefaultConfig()
	cfg.Critical = critical
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := services.New(cfg, services.Deps{
		Logger: logger,
		Raise: func(_ context.Context, in services.Incident) error {
			b.mu.Lock()
			b.raised[in.Key], b.ever[in.Key] = in, true
			b.mu.Unlock()
			b.events <- "raise " + in.Key
			return nil
		},
		Clear: func(_ context.Context, key string) error {
			b.mu.Lock()
			delete(b.raised, key)
			b.mu.Unlock()
			b.events <- "clear " + key
			return nil
		},
		Active: func(context.Context) ([]string, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Services = s
	w, err := docker.New(docker.Config{Address: address}, s, logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{s.Run, w.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	b.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(b.stop)
	return b
}

// until waits for an incident that ok accepts.
func (b *board) until(key string, ok func(services.Incident) bool) services.Incident {
	b.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		b.mu.Lock()
		in, raised := b.raised[key]
		b.mu.Unlock()
		if raised && ok(in) {
			return in
		}
		select {
		case <-b.events:
		case <-deadline:
			b.t.Fatalf("incident %q was not raised as wanted; last seen: %+v", key, in)
		}
	}
}

func (b *board) sees() {
	b.t.Helper()
	b.eventually("the watcher sees", func() bool { return b.Overview().Watchers[0].Sees })
}

func (b *board) eventually(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not so after 15 s: %s; %+v", what, b.Overview())
		}
	}
}

func (b *board) status(instance string) services.Status {
	for _, s := range b.Overview().Services {
		if s.Instance == instance {
			return s
		}
	}
	return services.Status{}
}
