package services

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// Thousands of services that fail because of one are held against that one, and
// not against each other.
func TestServicesThatFailTogetherAreComparedWithWhatTheyNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		raised := map[string]string{} // What hangs below, by key.
		s, err := New(DefaultConfig(), Deps{
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Raise: func(_ context.Context, in Incident) error {
				raised[in.Key] = in.Annotations["also_failing"]
				return nil
			},
			Clear:  func(_ context.Context, key string) error { delete(raised, key); return nil },
			Active: func(context.Context) ([]string, error) { return nil, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		feed := s.Feed(Docker, func(context.Context, Key) ([]byte, error) {
			return []byte("dial tcp: orders-db:5432: connect: connection refused\n"), nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		present := map[Key]bool{}
		observe := func(name string, c Condition) {
			o := Observation{Key: Key{ServiceKey{Docker, "", name, ""}, name}, Condition: c}
			if c != Running {
				o.Restarts, o.Exit = 1, &Exit{Code: 1, At: time.Now()}
			}
			present[o.Key] = true
			feed.Observe(o)
		}
		each := func(c Condition) {
			for i := range many {
				observe(fmt.Sprintf("service-%d", i), c)
			}
		}
		observe("orders-db", Running)
		each(Running)
		feed.Sees(present)
		observe("orders-db", BackingOff)
		synctest.Wait()
		each(BackingOff)
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if below := raised["service/docker//orders-db/"]; len(raised) != 1 || len(below) < many*len("service-1") {
			t.Errorf("got %d incidents and %d bytes of names below the database, want one with all", len(raised), len(below))
		}
		if got := s.related.compared; got > 4*many {
			t.Errorf("compared %d pairs of %d services, want no more than a few for each", got, many)
		}
	})
}
