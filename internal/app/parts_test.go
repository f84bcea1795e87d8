package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// journal records what parts do, in order.
type journal struct{ lines []string }

func (j *journal) add(line string) { j.lines = append(j.lines, line) }

// part is ready after the given time, and takes as long to stop.
func (j *journal) part(name string, takes time.Duration) part {
	ready := make(chan struct{})
	return part{name: name, ready: ready, stop: time.Minute, run: func(ctx context.Context) error {
		time.Sleep(takes)
		j.add("+" + name)
		close(ready)
		<-ctx.Done()
		time.Sleep(takes)
		j.add("-" + name)
		return nil
	}}
}

func TestPartsStartInOrderAndStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- runParts(ctx, slog.New(slog.DiscardHandler), []part{
				j.part("web", 0), j.part("storage", 3*time.Second), j.part("rules", time.Second),
			}, func(name string) { j.add("waiting for " + name) })
		}()
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			"waiting for web", "+web", "waiting for storage", "+storage", "waiting for rules", "+rules", "waiting for ",
			"waiting for the stop", "-rules", "-storage", "-web",
		}
		if diff := cmp.Diff(want, j.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestPartsStopWhenOneFails(t *testing.T) {
	fault := errors.New("disk is gone")
	tests := []struct {
		name string
		bad  part
		want string
	}{
		{
			name: "before it is ready",
			bad:  part{name: "storage", ready: make(chan struct{}), run: func(context.Context) error { return fault }},
			want: "storage: disk is gone",
		},
		{
			name: "while all run",
			bad: part{name: "storage", run: func(context.Context) error {
				time.Sleep(time.Hour)
				return fault
			}},
			want: "storage: disk is gone",
		},
		{
			name: "by ending without an error",
			bad: part{name: "storage", run: func(context.Context) error {
				time.Sleep(time.Hour)
				return nil
			}},
			want: "storage: ended by itself",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				tt.bad.stop = time.Second
				err := runParts(t.Context(), slog.New(slog.DiscardHandler), []part{j.part("web", 0), tt.bad}, func(string) {})
				if err == nil || err.Error() != tt.want {
					t.Errorf("got error %v, want %s", err, tt.want)
				}
				if diff := cmp.Diff([]string{"+web", "-web"}, j.lines); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestPartThatHangsDoesNotHoldTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		free := make(chan struct{})
		hung := part{name: "scraper", stop: 5 * time.Second, run: func(context.Context) error {
			<-free
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := runParts(ctx, slog.New(slog.DiscardHandler), []part{j.part("storage", 0), hung}, func(string) {})
		close(free)
		if want := "stop scraper: still at work after 5s"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
		if diff := cmp.Diff([]string{"+storage", "-storage"}, j.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestStopWhileAPartStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := runParts(ctx, slog.New(slog.DiscardHandler), []part{j.part("storage", 10*time.Second), j.part("rules", 0)}, func(string) {}); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"+storage", "-storage"}, j.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
