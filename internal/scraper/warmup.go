package scraper

import (
	"context"
	"math"
	"slices"
	"time"

	configutil "github.com/prometheus/common/config"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

// The first scrape after a start.
//
// Prometheus gives each target a fixed slot in its scrape interval, to spread
// the load, and so waits up to one interval before the first scrape: after a
// restart a breach stays unseen for as long. Here the first scrape is
// immediate. It works in two steps, with exported means only:
//
//  1. Jobs start with an initial offset far below zero, which the scrape loop
//     takes as "now", and with a sample limit that differs from the real one.
//  2. When all targets have been scraped, the offset is set to zero and the
//     real configuration is applied. The limit differs, so the loops restart,
//     in their slots. It is no label of the targets, so they stay the same, and
//     no reason to drop the loops' caches, so no series goes stale and none is
//     looked up anew.
//
// Between the two, changed target sets wait in forwardTargets, and reloads in
// their commit: the scrape manager reads the offset while it starts loops, and
// must not do so while it changes. TestFirstScrape pins the behaviour of the
// embedded library.
const (
	scrapeAtOnce = -365 * 24 * time.Hour
	// warmUpLimit ends step 1 when a target does not answer.
	warmUpLimit = 10 * time.Second
	// warmUpPoll is how often step 1 looks whether it is over.
	warmUpPoll = 50 * time.Millisecond
)

// hurried is prom with a sample limit in every job that has none, and with one
// sample more in every other.
func hurried(prom *promconfig.Config) *promconfig.Config {
	h := *prom
	h.ScrapeConfigs = make([]*promconfig.ScrapeConfig, len(prom.ScrapeConfigs))
	for i, job := range prom.ScrapeConfigs {
		j := *job
		if j.SampleLimit++; j.SampleLimit == 1 {
			j.SampleLimit = math.MaxInt32
		}
		h.ScrapeConfigs[i] = &j
	}
	return &h
}

// forwardTargets passes target sets from discovery to the scrape manager: the
// first at once, later ones when the first scrapes are done.
func (s *Scraper) forwardTargets(ctx context.Context, to chan<- map[string][]*targetgroup.Group) {
	for first := true; ; first = false {
		var set map[string][]*targetgroup.Group
		select {
		case <-ctx.Done():
			return
		case set = <-s.discovery.SyncCh():
		}
		if first {
			s.firstSet <- set
		} else {
			select {
			case <-ctx.Done():
				return
			case <-s.warmedUp:
			}
		}
		select {
		case <-ctx.Done():
			return
		case to <- set:
		}
	}
}

// warmUp waits for the first scrapes and then puts the targets into their
// slots.
func (s *Scraper) warmUp(ctx context.Context) {
	defer close(s.warmedUp)
	limited, cancel := context.WithTimeout(ctx, warmUpLimit)
	defer cancel()
	select {
	case <-limited.Done():
	case set := <-s.firstSet:
		s.awaitScrapes(limited, set)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || !s.running.Load() {
		return // A change now would only meet scrapes that are ending.
	}
	s.options.InitialScrapeOffset = 0
	s.options.HTTPClientOptions = nil
	s.warming = false
	s.apply()
}

// shortLived lets the connections of the first scrapes go: the loops that follow
// have clients of their own, and the library does not close the idle connections
// of the former ones.
func shortLived() []configutil.HTTPClientOption {
	return []configutil.HTTPClientOption{configutil.WithIdleConnTimeout(time.Second)}
}

// awaitScrapes returns when every target of set has been scraped, or the time
// for it is over.
func (s *Scraper) awaitScrapes(ctx context.Context, set map[string][]*targetgroup.Group) {
	poll := time.NewTicker(warmUpPoll)
	defer poll.Stop()
	for !s.scraped(set) {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// scraped reports whether the targets of set have been taken over by the scrape
// manager and each was scraped.
func (s *Scraper) scraped(set map[string][]*targetgroup.Group) bool {
	active, dropped := s.manager.TargetsActive(), s.manager.TargetsDropped()
	for job, groups := range set {
		if hasTargets(groups) && len(active[job])+len(dropped[job]) == 0 {
			return false
		}
		for _, t := range active[job] {
			if t.LastScrape().IsZero() {
				return false
			}
		}
	}
	return true
}

func hasTargets(groups []*targetgroup.Group) bool {
	return slices.ContainsFunc(groups, func(g *targetgroup.Group) bool { return len(g.Targets) > 0 })
}
