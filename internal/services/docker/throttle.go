package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	// A sample of each container that has a CPU limit is taken every sampleEvery,
	// and of no more than one container in samplePause: each costs the daemon
	// some milliseconds.
	sampleEvery, samplePause = 10 * time.Second, 50 * time.Millisecond
	// maxSamples make the last minutes.
	maxSamples = 18
)

// limited reports whether a CPU limit can hold the container back.
func limited(h *container.HostConfig) bool { return h.NanoCPUs > 0 || h.CPUQuota > 0 }

// sample follows how CPU limits hold containers back, until ctx ends.
func (w *Watcher) sample(ctx context.Context) {
	pause := func(d time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d):
			return true
		}
	}
	for began := time.Now(); ; began = time.Now() {
		for _, id := range w.sampled() {
			now, err := w.throttling(ctx, id)
			if err != nil {
				w.logger.Debug("CPU throttling of a container unknown", "container", id, "err", err)
			} else {
				w.take(id, now)
			}
			if !pause(samplePause) {
				return
			}
		}
		if !pause(max(samplePause, sampleEvery-time.Since(began))) {
			return
		}
	}
}

// sampled are the containers that run and have a limit.
func (w *Watcher) sampled() (ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, k := range w.containers {
		if k.limited {
			ids = append(ids, id)
		}
	}
	return ids
}

// throttling asks for the counters of one container, which begin with its run.
func (w *Watcher) throttling(ctx context.Context, id string) (services.Throttling, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	result, err := w.client.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return services.Throttling{}, fmt.Errorf("read the statistics of container %.12s: %w", id, err)
	}
	defer result.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(result.Body).Decode(&stats); err != nil {
		return services.Throttling{}, fmt.Errorf("read the statistics of container %.12s: %w", id, err)
	}
	t := stats.CPUStats.ThrottlingData
	return services.Throttling{Periods: t.Periods, Throttled: t.ThrottledPeriods}, nil
}

// take notes a sample, and has the container reported if there is news.
func (w *Watcher) take(id string, now services.Throttling) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.containers[id]
	if k == nil {
		return
	}
	before := k.throttled()
	n := len(k.samples)
	if n > 0 && (now.Periods < k.samples[n-1].Periods || now.Throttled < k.samples[n-1].Throttled) {
		k.samples, n = nil, 0 // It has been started again.
	}
	if n == 0 {
		k.samples = append(k.samples, services.Throttling{})
	}
	k.samples = append(k.samples, now)
	if over := len(k.samples) - maxSamples; over > 0 {
		k.samples = append(k.samples[:0], k.samples[over:]...)
	}
	was, knew := before.Ratio()
	if is, knows := k.throttled().Ratio(); knows != knew || is != was {
		w.mark(id)
	}
}

// throttled is how the limit has held the container back in the last minutes.
func (k *known) throttled() *services.Throttling {
	n := len(k.samples)
	if n == 0 {
		return nil
	}
	first, last := k.samples[0], k.samples[n-1]
	return &services.Throttling{Periods: last.Periods - first.Periods, Throttled: last.Throttled - first.Throttled}
}
