package ruler

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
)

// Holding alerts.
//
// A rule with a policy goes on firing in two cases in which its expression has
// no result any more: its data is gone, or its recovery condition is not met.
// The guard of such a rule stands between the rule and the engine and adds to
// the engine's result what fired and may not resolve yet. To the library, the
// condition simply still holds; so ALERTS, the API, keep_firing_for, `for` after
// a restart and the resends all follow.
const (
	// maxFired and maxSeen bound what a guard remembers; alerts and series
	// beyond are treated as Prometheus treats them.
	maxFired = 10000
	maxSeen  = 100000
	// seenBefore is how far back a guard looks for series that vanished while
	// we were down, and seenStep how finely.
	seenBefore, seenStep = time.Hour, time.Minute
	// forgetMissing ends an incident about data that did not come back.
	forgetMissing = 24 * time.Hour
)

// guard holds the alerts of one rule with a policy. The rule's evaluations take
// turns, and only they touch it, but for its atomic fields.
type guard struct {
	policy
	id       string
	own      []string      // the names of the rule's own labels, and alertname
	hold     time.Duration // the rule's `for`
	severity string

	// fired has the alerts that fired and did not resolve, by bareHash.
	fired map[uint64]*fired
	// seen has the series that have, or had, data, for the policy fire.
	seen map[uint64]*seen
	// result is what the rule's expression last gave.
	result map[uint64]promql.Sample
	// patient is set until this time: after a start, data that is not there yet
	// is no news.
	patient time.Time
	// restored is set if a former process knew the rule, until what it knew is
	// looked up.
	restored bool
	// news are the changes of an evaluation that are not saved yet.
	news map[string]any
	// gone are the series that an incident is to be about, and back those that
	// came back, or are given up.
	gone, back map[uint64]*seen

	// holding is set while any sample of the recovery or the evidence can change
	// the outcome. unmet and dark count what is held, by reason.
	holding     atomic.Bool
	unmet, dark atomic.Int64
}

// fired is an alert that fired and did not resolve.
type fired struct {
	// Metric has the labels of the result, and Value is the last one.
	Metric labels.Labels     `json:"metric"`
	Value  model.SampleValue `json:"value"`
	// Since is when the condition ended; zero while it holds.
	Since time.Time `json:"since,omitzero"`
	// dark is set while there is no data.
	dark bool
}

// seen is a series of the evidence.
type seen struct {
	Metric labels.Labels `json:"metric"`
	// Since is when the data ended; zero while it comes.
	Since time.Time `json:"since"`
	// Source is what an incident about it is called; told is set while there is
	// one. Then the series is saved.
	Source labels.Labels `json:"source"`
	told   bool
}

// bareHash identifies an alert by the labels that do not come from the rule.
// Results that differ in the rule's own labels only count as one.
func (g *guard) bareHash(ls labels.Labels) uint64 {
	h, _ := ls.HashWithoutLabels(nil, g.own...)
	return h
}

// query answers the rule's own query.
func (g *guard) query(ctx context.Context, at time.Time, result promql.Vector, query rules.QueryFunc) (promql.Vector, error) {
	g.result = make(map[uint64]promql.Sample, len(result))
	for _, s := range result {
		g.result[g.bareHash(s.Metric)] = s
	}
	ended := false
	for h := range g.fired {
		if _, ok := g.result[h]; !ok {
			ended = true
		}
	}
	var proof, recovered promql.Vector
	var err error
	if g.evidence != nil && (ended || g.noData == noDataFire) {
		if proof, err = query(ctx, g.evidence.String(), at); err != nil {
			return nil, fmt.Errorf("look for missing data: %w", err)
		}
	}
	if g.recovery != nil && ended {
		if recovered, err = query(ctx, g.recovery.String(), at); err != nil {
			return nil, fmt.Errorf("%s: %w", recoveryAnnotation, err)
		}
	}
	data := make(map[uint64]labels.Labels, len(proof))
	for _, s := range proof {
		data[g.bareHash(s.Metric)] = s.Metric
	}
	held := g.decide(at, data, recovered)
	if g.noData == noDataFire {
		if err := g.remember(ctx, at, query); err != nil {
			return nil, err
		}
		g.lookForMissing(at, data)
	}
	return append(result, held...), nil
}

// decide returns the results to add: those of alerts that fired, ended, and may
// not resolve. The others it lets go.
func (g *guard) decide(at time.Time, data map[uint64]labels.Labels, recovered promql.Vector) promql.Vector {
	var held promql.Vector
	var unmet, dark int64
	for h, f := range g.fired {
		if s, ok := g.result[h]; ok {
			if !f.Since.IsZero() {
				f.Since = time.Time{}
				g.news[g.firedKey(h)] = f
			}
			f.Value, f.dark = model.SampleValue(s.F), false
			continue
		}
		_, f.dark = data[h]
		f.dark = !f.dark && g.evidence != nil
		var holds bool
		switch {
		case f.dark:
			holds = g.noData != noDataOK || at.Before(g.patient)
		case g.recovery != nil:
			holds = !matchesAny(recovered, f.Metric)
		}
		if !holds {
			delete(g.fired, h)
			g.news[g.firedKey(h)] = nil
			continue
		}
		if f.Since.IsZero() {
			f.Since = at
			g.news[g.firedKey(h)] = f
		}
		if f.dark {
			dark++
		} else {
			unmet++
		}
		held = append(held, promql.Sample{T: at.UnixMilli(), F: float64(f.Value), Metric: f.Metric})
	}
	g.unmet.Store(unmet)
	g.dark.Store(dark)
	g.holding.Store(len(held) > 0)
	return held
}

// matchesAny reports whether a result has only labels that ls has too. So a
// result without labels is about every alert.
func matchesAny(results promql.Vector, ls labels.Labels) bool {
	for _, s := range results {
		all := true
		s.Metric.Range(func(l labels.Label) {
			all = all && (l.Name == model.MetricNameLabel || ls.Get(l.Name) == l.Value)
		})
		if all {
			return true
		}
	}
	return false
}

// remember makes the series of before a start known, so that those that ended
// while we were down are missed.
func (g *guard) remember(ctx context.Context, at time.Time, query rules.QueryFunc) error {
	if !g.restored {
		return nil
	}
	past, err := query(ctx, fmt.Sprintf("last_over_time((%s)[%s:%s])", g.evidence, model.Duration(seenBefore), model.Duration(seenStep)), at)
	if err != nil {
		return fmt.Errorf("look for data of before the start: %w", err)
	}
	for _, s := range past {
		g.see(g.bareHash(s.Metric), s.Metric)
	}
	g.restored = false
	return nil
}

func (g *guard) see(h uint64, metric labels.Labels) *seen {
	s := g.seen[h]
	if s == nil && len(g.seen) < maxSeen {
		s = &seen{Metric: metric}
		g.seen[h] = s
	}
	return s
}

// lookForMissing compares the series that have data with those that had.
func (g *guard) lookForMissing(at time.Time, data map[uint64]labels.Labels) {
	for h, metric := range data {
		s := g.see(h, metric)
		if s == nil || s.Since.IsZero() {
			continue
		}
		s.Since = time.Time{}
		if s.told {
			s.told = false
			g.back[h] = s
		}
	}
	missing := false
	for h, s := range g.seen {
		if _, ok := data[h]; ok {
			continue
		}
		if s.Since.IsZero() {
			s.Since = at
		}
		switch {
		case at.Sub(s.Since) >= forgetMissing:
			delete(g.seen, h)
			if s.told {
				g.back[h] = s
			}
			continue
		case !s.told && at.Sub(s.Since) >= g.hold && !at.Before(g.patient):
			g.gone[h] = s
		}
		missing = true
	}
	if missing {
		g.holding.Store(true)
	}
}

// evaluated takes note of the alerts that the evaluation made fire.
func (g *guard) evaluated(rule *rules.AlertingRule) {
	rule.ForEachActiveAlert(func(a *rules.Alert) {
		h := g.bareHash(a.Labels)
		s, ok := g.result[h]
		if a.State != rules.StateFiring || !ok || g.fired[h] != nil || len(g.fired) >= maxFired {
			return
		}
		f := &fired{Metric: s.Metric, Value: model.SampleValue(s.F)}
		g.fired[h] = f
		g.news[g.firedKey(h)] = f
	})
}

// annotate says on an alert why it is held, if it is.
func (g *guard) annotate(a *rules.Alert) {
	f := g.fired[g.bareHash(a.Labels)]
	if f == nil || f.Since.IsZero() || a.State != rules.StateFiring {
		return
	}
	b := labels.NewBuilder(a.Annotations)
	if since := f.Since.UTC().Format(time.RFC3339); f.dark {
		b.Set("no_data", "since "+since)
	} else {
		b.Set("waits_for", g.recovery.String()+", since "+since)
	}
	a.Annotations = b.Labels()
}

// deadline is the next moment at which missing data becomes an incident; zero
// if there is none.
func (g *guard) deadline() time.Time {
	var next time.Time
	for _, s := range g.seen {
		if s.Since.IsZero() || s.told {
			continue
		}
		at := s.Since.Add(g.hold)
		if at.Before(g.patient) {
			at = g.patient
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (g *guard) firedKey(h uint64) string { return fmt.Sprintf("fired/%s/%016x", g.id, h) }

func (g *guard) missingKey(h uint64) string { return fmt.Sprintf("missing/%s/%016x", g.id, h) }
