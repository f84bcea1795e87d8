package ruler

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// onCommit keeps a runner for every group that alerts depend on.
type onCommit struct {
	lookback time.Duration
	count    func(trigger string)
	guards   *guards

	// mu guards what follows.
	mu      sync.Mutex
	runners map[*rules.Group]*runner
	index   *index
	running bool
}

func newOnCommit(lookback time.Duration, count func(string), guards *guards) *onCommit {
	return &onCommit{lookback: lookback, count: count, guards: guards, runners: map[*rules.Group]*runner{}, index: newIndex(nil)}
}

// iterate is the library's hook for a scheduled evaluation.
func (c *onCommit) iterate(ctx context.Context, g *rules.Group, at time.Time) {
	c.count("schedule")
	c.mu.Lock()
	r := c.runners[g]
	c.mu.Unlock()
	if r == nil {
		c.guards.evaluate(ctx, g, at, Cause{})
		return
	}
	r.evaluate(ctx, g, at)
}

// change replaces the groups by calling update, and returns the index of what
// to watch for the groups that exist afterwards. Calls must not overlap.
//
// No runner works meanwhile: the library copies a group's state to its
// successor, and waits only for the evaluations that it schedules itself.
func (c *onCommit) change(settings Settings, update func() []*rules.Group) *index {
	c.mu.Lock()
	c.pause()
	c.mu.Unlock()
	groups := update()
	c.guards.keep(groups)

	c.mu.Lock()
	defer c.mu.Unlock()
	path := alertPath(groups)
	runners := make(map[*rules.Group]*runner, len(path))
	for g := range path {
		runners[g] = c.runners[g]
		if runners[g] == nil {
			runners[g] = newRunner(g, c.lookback, c.count, c.guards)
			// Before the start there is nothing to look at yet: a rule about
			// absence would fire.
			if c.running {
				signal(runners[g].urgent)
			}
		}
	}
	c.runners = runners
	byName := map[string][]*watch{}
	for g, r := range runners {
		r.set(settings.throttle(g), dependents(g, runners))
		for name, watches := range r.watchRules() {
			for _, w := range watches {
				w.inherit(c.index.byName[name])
			}
			byName[name] = append(byName[name], watches...)
		}
	}
	c.index = newIndex(byName)
	c.resume()
	return c.index
}

// run lets the runners work until ctx ends.
func (c *onCommit) run(ctx context.Context) {
	c.mu.Lock()
	c.running = true
	c.resume()
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pause()
	c.running = false
}

// pause stops the runners that work. The caller holds c.mu.
func (c *onCommit) pause() {
	for _, r := range c.runners {
		if r.quit != nil {
			r.stop()
		}
	}
}

// resume starts the runners that do not work. The caller holds c.mu.
func (c *onCommit) resume() {
	for _, r := range c.runners {
		if c.running && r.quit == nil {
			r.start()
		}
	}
}

// alertPath returns the groups that alerts depend on: those with alerts, and
// those that record, directly or not, what these read. Groups that look at the
// past only (query_offset) have nothing to gain from a sample of now.
func alertPath(groups []*rules.Group) map[*rules.Group]bool {
	path := map[*rules.Group]bool{}
	for _, g := range groups {
		if g.HasAlertingRules() && g.QueryOffset() == 0 {
			path[g] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, g := range groups {
			if path[g] || g.QueryOffset() != 0 {
				continue
			}
			for reader := range path {
				if reads(reader, g) {
					path[g], grown = true, true
					break
				}
			}
		}
	}
	return path
}

// dependents are the runners of the groups that read what g records.
func dependents(g *rules.Group, runners map[*rules.Group]*runner) []*runner {
	var out []*runner
	for reader, r := range runners {
		if reader != g && reads(reader, g) {
			out = append(out, r)
		}
	}
	return out
}

// reads reports whether a rule of reader selects what a rule of writer records.
func reads(reader, writer *rules.Group) bool {
	recorded := map[string]bool{}
	for _, rule := range writer.Rules() {
		if _, ok := rule.(*rules.RecordingRule); ok {
			recorded[rule.Name()] = true
		}
	}
	for _, rule := range reader.Rules() {
		for _, selector := range parser.ExtractSelectors(rule.Query()) {
			for _, m := range selector {
				if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && recorded[m.Value] {
					return true
				}
			}
		}
	}
	return false
}
