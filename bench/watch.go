package main

import (
	"context"
	"time"
)

// watched is what some processes used together, looked at every second.
type watched struct {
	window time.Duration
	cpu    time.Duration
	// rss and anon have one figure for each look.
	rss, anon sample
}

// watch looks at several groups of processes at the same time. A group without
// members has no figures.
func watch(ctx context.Context, window time.Duration, groups ...[]*child) ([]watched, error) {
	seen := make([]watched, len(groups))
	started := time.Now()
	var before []time.Duration
	for time.Since(started) < window {
		for i, members := range groups {
			now, err := usageOf(members)
			if err != nil {
				return nil, err
			}
			if len(before) < len(groups) {
				before = append(before, now.cpu)
			}
			seen[i].cpu, seen[i].window = now.cpu-before[i], time.Since(started)
			if len(members) > 0 {
				seen[i].rss = append(seen[i].rss, now.rss)
				seen[i].anon = append(seen[i].anon, now.anon)
			}
		}
		for _, members := range groups {
			if err := pause(ctx, time.Second/time.Duration(len(groups)), members...); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}

// cpuPerMinute is nothing for a group without members.
func (w watched) cpuPerMinute() sample {
	if len(w.rss) == 0 || w.window == 0 {
		return nil
	}
	return sample{w.cpu.Seconds() * float64(time.Minute) / float64(w.window)}
}

// share is of one core.
func (w watched) share() float64 { return w.cpu.Seconds() / w.window.Seconds() }

// usageOf adds up what processes use.
func usageOf(members []*child) (total usage, err error) {
	for _, c := range members {
		u, err := c.usage()
		if err != nil {
			return usage{}, err
		}
		total.cpu += u.cpu
		total.rss += u.rss
		total.anon += u.anon
	}
	return total, nil
}
