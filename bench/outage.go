package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// measureOutages breaks a receiver in two ways while an alert comes, and times
// how late the alert is once the receiver works again. The peer waits a group
// interval, which is 5 minutes by default, so the short form leaves it out.
func measureOutages(ctx context.Context, b *bench) ([]result, error) {
	length := either(b, 10*time.Second, 2*time.Minute)
	faults := []struct {
		what   string
		answer http.HandlerFunc
	}{
		{"answers 429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	}
	results, failed := make([]result, len(faults)), make([]error, len(faults))
	var measured sync.WaitGroup
	for i, f := range faults {
		results[i] = result{what: "receiver " + f.what + " for " + length.String() + " → delivered after it is back", unit: seconds(), most: 5}
		own := *b
		own.dir = filepath.Join(b.dir, f.what)
		measured.Go(func() { failed[i] = own.outage(ctx, f.answer, length, &results[i]) })
	}
	measured.Wait()
	return results, errors.Join(failed...)
}

func (b *bench) outage(ctx context.Context, answer http.HandlerFunc, length time.Duration, r *result) error {
	const trial = 1
	contenders := either(b, 1, 2)
	teams, stop, err := b.startAlertTeams(ctx, contenders, trial+1, func(t *alertTeam) alertPath {
		path := everySecond(t)
		path.notify = toWebhook(t.sink.url, 5*time.Minute)
		return path
	})
	if err != nil {
		return err
	}
	defer stop()
	for _, t := range teams {
		t.sink.fail(answer)
		t.gauges.set(1, trial)
	}
	if err := pause(ctx, length, teams[0].members...); err != nil {
		return err
	}
	mended := time.Now()
	for _, t := range teams {
		t.sink.fail(nil)
	}
	for _, t := range teams {
		const patience = 6 * time.Minute // A group interval and a minute.
		told, err := t.sink.await(ctx, news{"firing", "1"}, patience)
		if err != nil {
			return err
		}
		r.add(t.by, told.Sub(mended))
	}
	return nil
}
