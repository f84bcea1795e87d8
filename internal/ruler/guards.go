package ruler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

// guards has a guard for each rule with a policy, and saves what they hold.
type guards struct {
	logger   *slog.Logger
	parser   parser.Parser
	engine   rules.QueryFunc
	lookback time.Duration
	journal  *journal.Journal // nil if nothing is saved
	sources  *sources
	pendings *pendings

	// mu guards what follows.
	mu      sync.Mutex
	byID    map[string]*guard
	byGroup map[*rules.Group][]guarded
	// saved is what a former process left; nil once the first groups are there.
	saved map[string]json.RawMessage
	// orphans are sources of former incidents that no rule is about any more.
	orphans []labels.Labels
}

// guarded is a rule of a group with its guard.
type guarded struct {
	rule  *rules.AlertingRule
	guard *guard
}

func newGuards(d Deps, lookback time.Duration, engine rules.QueryFunc) (*guards, error) {
	gs := &guards{
		logger:   d.Logger,
		parser:   d.Parser,
		engine:   engine,
		lookback: lookback,
		pendings: newPendings(d.Pending),
		sources:  newSources(d.Incidents, d.Logger, engine),
		byID:     map[string]*guard{},
		byGroup:  map[*rules.Group][]guarded{},
		saved:    map[string]json.RawMessage{},
	}
	if d.StatePath != "" {
		j, damaged, err := journal.Open(d.StatePath)
		if err != nil {
			return nil, fmt.Errorf("load held alerts: %w", err)
		}
		if damaged > 0 {
			d.Logger.Warn("Part of the saved held alerts could not be read", "file", d.StatePath, "bytes", damaged)
		}
		gs.journal, gs.saved = j, j.All()
	}
	for reason, count := range map[string]func(*guard) int64{
		"no_data":  func(g *guard) int64 { return g.dark.Load() },
		"recovery": func(g *guard) int64 { return g.unmet.Load() },
	} {
		err := d.Registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "hedgewatch_ruler_held_alerts",
			Help:        "Alerts that go on firing by their rule's policy: because their data is gone, or because they have not recovered far enough.",
			ConstLabels: prometheus.Labels{"reason": reason},
		}, func() float64 { return gs.sum(count) }))
		if err != nil {
			return nil, err
		}
	}
	return gs, nil
}

func (gs *guards) sum(count func(*guard) int64) float64 {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var n int64
	for _, g := range gs.byID {
		n += count(g)
	}
	return float64(n)
}

// of returns the guarded rules of a group. The guard of a rule outlives its
// group: a reload that leaves the rule as it is leaves what is held.
func (gs *guards) of(group *rules.Group) []guarded {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	list, known := gs.byGroup[group]
	if known {
		return list
	}
	for _, rule := range group.AlertingRules() {
		// The loader has refused what is wrong.
		pol, _ := policyOf(rule.Annotations().Map(), rule.Query().String(), gs.parser)
		if pol == nil {
			continue
		}
		id := guardID(group, rule)
		g := gs.byID[id]
		if g == nil {
			g = gs.newGuard(id, rule, *pol)
			gs.byID[id] = g
		}
		g.hold = rule.HoldDuration()
		list = append(list, guarded{rule, g})
	}
	gs.byGroup[group] = list
	return list
}

// guardID names a rule by all that decides what it holds.
func guardID(group *rules.Group, rule *rules.AlertingRule) string {
	sum := sha256.New()
	for _, s := range []string{
		rules.GroupKey(group.File(), group.Name()), rule.Name(), rule.Query().String(), rule.Labels().String(),
		rule.Annotations().Get(noDataAnnotation), rule.Annotations().Get(recoveryAnnotation),
	} {
		fmt.Fprintf(sum, "%d %s", len(s), s)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// newGuard returns a guard with what a former process left of it.
func (gs *guards) newGuard(id string, rule *rules.AlertingRule, pol policy) *guard {
	g := &guard{
		policy:   pol,
		id:       id,
		own:      []string{labels.AlertName},
		severity: rule.Labels().Get("severity"),
		fired:    map[uint64]*fired{},
		seen:     map[uint64]*seen{},
		news:     map[string]any{},
		gone:     map[uint64]*seen{},
		back:     map[uint64]*seen{},
		restored: gs.saved != nil,
	}
	rule.Labels().Range(func(l labels.Label) { g.own = append(g.own, l.Name) })
	slices.Sort(g.own)
	for key, value := range gs.saved {
		kind, rest, _ := strings.Cut(key, "/")
		if !strings.HasPrefix(rest, id+"/") {
			continue
		}
		delete(gs.saved, key)
		switch kind {
		case "fired":
			f := &fired{}
			if gs.decode(key, value, f) {
				g.fired[g.bareHash(f.Metric)] = f
				g.holding.Store(true)
			}
		case "missing":
			s := &seen{told: true}
			if gs.decode(key, value, s) {
				g.seen[g.bareHash(s.Metric)] = s
				gs.sources.restore(s.Source, key)
			}
		}
	}
	return g
}

func (gs *guards) decode(key string, value json.RawMessage, into any) bool {
	if err := json.Unmarshal(value, into); err != nil {
		gs.logger.Error("A held alert is forgotten", "key", key, "err", err)
		return false
	}
	return true
}

// keep makes guards for groups and forgets all others.
func (gs *guards) keep(groups []*rules.Group) {
	current := map[*rules.Group]bool{}
	ids := map[string]bool{}
	for _, group := range groups {
		current[group] = true
		for _, r := range gs.of(group) {
			ids[r.guard.id] = true
		}
	}
	gs.pendings.keep(groups)
	gs.write(gs.forget(current, ids))
}

// forget drops all but the current groups and guards, and returns what that
// changes in the journal.
func (gs *guards) forget(current map[*rules.Group]bool, ids map[string]bool) []journal.Change {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var changes []journal.Change
	for key, value := range gs.saved {
		changes = append(changes, journal.Change{Key: key})
		s := seen{}
		if strings.HasPrefix(key, "missing/") && gs.decode(key, value, &s) {
			gs.orphans = append(gs.orphans, s.Source)
		}
	}
	gs.saved = nil
	for group := range gs.byGroup {
		if !current[group] {
			delete(gs.byGroup, group)
		}
	}
	for id, g := range gs.byID {
		if ids[id] {
			continue
		}
		delete(gs.byID, id)
		for h := range g.fired {
			changes = append(changes, journal.Change{Key: g.firedKey(h)})
		}
		for h, s := range g.seen {
			if s.told {
				changes = append(changes, journal.Change{Key: g.missingKey(h)})
				if gs.sources.remove(s.Source, g.missingKey(h)) {
					gs.orphans = append(gs.orphans, s.Source)
				}
			}
		}
	}
	return changes
}

// clearOrphans ends the incidents that no rule is about any more.
func (gs *guards) clearOrphans(ctx context.Context) {
	gs.mu.Lock()
	orphans := gs.orphans
	gs.orphans = nil
	gs.mu.Unlock()
	for _, source := range orphans {
		gs.sources.clear(ctx, source)
	}
}

// evaluate evaluates the group once. Evaluations of a group must take turns.
func (gs *guards) evaluate(ctx context.Context, group *rules.Group, at time.Time, cause Cause) {
	e := &evaluation{at: at, cause: cause, guarded: gs.of(group)}
	rules.DefaultEvalIterationFunc(context.WithValue(ctx, evaluationKey{}, e), group, at)
	gs.settle(ctx, e)
	gs.pendings.evaluated(group, at)
}

// query is the rules' way to the engine, by their guards.
func (gs *guards) query(ctx context.Context, text string, at time.Time) (promql.Vector, error) {
	result, err := gs.engine(ctx, text, at)
	if err != nil {
		return nil, err
	}
	e := evaluationOf(ctx)
	if e == nil || len(e.guarded) == 0 {
		return result, nil
	}
	asking := rules.FromOriginContext(ctx)
	if asking.Query != text {
		return result, nil // A template's query.
	}
	for _, r := range e.guarded {
		if r.rule.Name() == asking.Name && r.rule.Query().String() == text && labels.Equal(r.rule.Labels(), asking.Labels) {
			if r.guard.restored && r.guard.patient.IsZero() {
				r.guard.patient = at.Add(gs.lookback)
			}
			return r.guard.query(ctx, at, result, gs.engine)
		}
	}
	return result, nil
}

// settle saves what an evaluation changed, and tells of data that is missing or
// back.
func (gs *guards) settle(ctx context.Context, e *evaluation) {
	var changes []journal.Change
	for _, r := range e.guarded {
		g := r.guard
		g.evaluated(r.rule)
		for h, s := range g.gone {
			i := Incident{Source: sourceOf(s.Metric, r.rule.Name()), Rule: r.rule.Name(), Severity: g.severity, Since: s.Since}
			if gs.sources.add(ctx, i, g.missingKey(h), e.at) {
				s.Source, s.told = i.Source, true
				g.news[g.missingKey(h)] = s
			}
		}
		for h, s := range g.back {
			if gs.sources.remove(s.Source, g.missingKey(h)) {
				gs.sources.clear(ctx, s.Source)
			}
			g.news[g.missingKey(h)] = nil
		}
		clear(g.gone)
		clear(g.back)
		for key, value := range g.news {
			c := journal.Change{Key: key}
			if value != nil {
				// Labels, numbers and times: they encode.
				c, _ = journal.Set(key, value)
			}
			changes = append(changes, c)
		}
		clear(g.news)
	}
	gs.write(changes)
}

func (gs *guards) write(changes []journal.Change) {
	if gs.journal == nil || len(changes) == 0 {
		return
	}
	if err := gs.journal.Write(changes...); err != nil {
		gs.logger.Error("Held alerts are in memory only until they can be saved", "err", err)
	}
}

func (gs *guards) close() {
	if gs.journal == nil {
		return
	}
	if err := gs.journal.Close(); err != nil {
		gs.logger.Error("Held alerts not closed cleanly", "err", err)
	}
}
