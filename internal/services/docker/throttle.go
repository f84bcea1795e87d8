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
	if k := w.containers[id]; k != nil && k.samples.Add(now) {
		w.mark(id)
	}
}
