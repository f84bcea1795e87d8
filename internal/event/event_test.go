package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/notifier"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is a set of Events with what it has sent.
type board struct {
	*event.Events
	t    *testing.T
	stop func()

	mu   sync.Mutex
	sent []string
}

func newBoard(t *testing.T, path string) *board {
	t.Helper()
	b := &board{t: t}
	var err error
	b.Events, err = event.New(event.Deps{
		Logger:     slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry(),
		Path:       path,
		Send:       b.send,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	synctest.Wait()
	return b
}

func (b *board) send(_ context.Context, alerts ...*notifier.Alert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range alerts {
		state := "firing"
		if a.Resolved() {
			state = "resolved"
		}
		b.sent = append(b.sent, fmt.Sprintf("%s %s", a.Labels, state))
	}
}

// take returns what was sent since the last call.
func (b *board) take() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	slices.Sort(sent)
	return sent
}

func (b *board) expect(what string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.take()); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (b *board) raise(ev event.Event) {
	b.t.Helper()
	if _, err := b.Raise(b.t.Context(), ev); err != nil {
		b.t.Fatal(err)
	}
}

var ban = event.Event{Key: "ban", Name: "ExchangeBan", Severity: "critical", Labels: map[string]string{"ip": "192.0.2.1"}}

const (
	banFires    = `{alertname="ExchangeBan", ip="192.0.2.1", severity="critical"} firing`
	banResolves = `{alertname="ExchangeBan", ip="192.0.2.1", severity="critical"} resolved`
)

func TestEventIsSentUntilItIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, filepath.Join(t.TempDir(), "events"))
		b.raise(ban)
		b.expect("raised", banFires)
		b.raise(ban)
		b.expect("raised again, as it is")
		time.Sleep(3 * time.Minute)
		b.expect("three minutes later", banFires, banFires, banFires)
		if _, err := b.Clear(t.Context(), "ban"); err != nil {
			t.Fatal(err)
		}
		b.expect("cleared", banResolves)
		if _, err := b.Clear(t.Context(), "ban"); !errors.Is(err, event.ErrUnknown) {
			t.Errorf("cleared twice: got error %v", err)
		}
		time.Sleep(20 * time.Minute)
		if got := b.take(); len(got) != 15 || got[0] != banResolves {
			t.Errorf("in 20 minutes the end was sent %d times, want 15: %v", len(got), got)
		}
	})
}

func TestEventEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, filepath.Join(t.TempDir(), "events"))
		ev := ban
		ev.Until = time.Now().Add(90*time.Second + time.Millisecond)
		b.raise(ev)
		time.Sleep(90 * time.Second)
		b.expect("before", banFires, banFires)
		time.Sleep(2 * time.Millisecond)
		b.expect("after", banResolves)
		ev.Until = time.Now()
		if _, err := b.Raise(t.Context(), ev); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("an event that is over: got error %v", err)
		}
	})
}

// TestCrashForgetsNothing starts from a copy of the file, which is what a
// process that is killed leaves.
func TestCrashForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		crash := func() string {
			text, err := os.ReadFile(filepath.Join(dir, "events"))
			if err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(t.TempDir(), "events")
			if err := os.WriteFile(copied, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return copied
		}
		b := newBoard(t, filepath.Join(dir, "events"))
		b.raise(ban)
		raised := crash()
		if _, err := b.Clear(t.Context(), "ban"); err != nil {
			t.Fatal(err)
		}
		cleared := crash()
		b.stop()

		time.Sleep(time.Second)
		newBoard(t, raised).expect("killed after Raise", banFires)
		newBoard(t, cleared).expect("killed after Clear", banResolves)
	})
}

func TestKeyMovesToAnotherAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, filepath.Join(t.TempDir(), "events"))
		b.raise(ban)
		b.take()
		other := ban
		other.Labels = map[string]string{"ip": "192.0.2.2"}
		b.raise(other)
		b.expect("moved", banResolves, strings.Replace(banFires, "2.1", "2.2", 1))
	})
}

func TestAlertEndsWithItsLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, filepath.Join(t.TempDir(), "events"))
		second := ban
		second.Key = "second"
		b.raise(ban)
		b.raise(second)
		b.take()
		for i, key := range []string{"ban", "second"} {
			if _, err := b.Clear(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if got := b.take(); len(got) != i {
				t.Errorf("after clearing %q got %v", key, got)
			}
		}
	})
}

func TestUnsavedEventIsRaisedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "gone")
		b := newBoard(t, filepath.Join(dir, "events"))
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Raise(t.Context(), ban); !errors.Is(err, event.ErrNotSaved) {
			t.Errorf("got error %v", err)
		}
		b.expect("raised", banFires)
	})
}

func TestNumberOfEventsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "gone")
		b := newBoard(t, filepath.Join(dir, "events"))
		if err := os.Remove(dir); err != nil { // Ten thousand writes to disk take a while.
			t.Fatal(err)
		}
		raise := func(i int) error {
			_, err := b.Raise(t.Context(), event.Event{Name: "E", Labels: map[string]string{"i": fmt.Sprint(i)}})
			if errors.Is(err, event.ErrNotSaved) {
				return nil
			}
			return err
		}
		for i := range 10000 {
			if err := raise(i); err != nil {
				t.Fatal(err)
			}
		}
		if err := raise(10000); !errors.Is(err, event.ErrTooMany) {
			t.Errorf("one more: got error %v", err)
		}
		if _, err := b.Clear(t.Context(), `{alertname="E", i="7"}`); !errors.Is(err, event.ErrNotSaved) {
			t.Fatal(err)
		}
		if err := raise(10000); err != nil {
			t.Errorf("one more after one was cleared: %v", err)
		}
	})
}
