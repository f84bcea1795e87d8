package capacity

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

const (
	// windowSteps are evaluated by one query, which bounds its memory.
	windowSteps = 1000
	// maxValues bounds the values that are held at a time: 40 MB.
	maxValues = 5_000_000
)

// grid is the instants at which a source is read.
type grid struct {
	from  time.Time
	step  time.Duration
	steps int
	// window is the time that the value of one instant stands for.
	window time.Duration
}

// gridOf ends at r.To, less the time since the last whole step.
func gridOf(r Request) grid {
	step := max(minStep, (r.Range / maxSteps).Truncate(time.Minute))
	if r.Range > step*maxSteps {
		step += time.Minute
	}
	steps := int(r.Range / step)
	to := r.To.UTC().Truncate(step)
	return grid{from: to.Add(-time.Duration(steps-1) * step), step: step, steps: steps, window: max(minWindow, step)}
}

func (g grid) end() time.Time { return g.from.Add(time.Duration(g.steps-1) * g.step) }

// fill puts the grid's times into an expression for all subjects.
func (g grid) fill(expr string) string {
	whole := time.Duration(g.steps) * g.step
	return strings.NewReplacer("$w", model.Duration(g.window).String(), "$range", model.Duration(whole).String(), "$m", "").Replace(expr)
}

// subject is whose use it is.
type subject struct {
	labels map[string]string
	series series
}

// collect reads the use of all subjects of a source. Those beyond the bound are
// counted only.
func (c *Capacity) collect(ctx context.Context, s source, g grid) (subjects []subject, dropped int, err error) {
	expr := g.fill(s.use)
	index := map[string]int{}
	over := map[string]bool{}
	for first := 0; first < g.steps; first += windowSteps {
		last := min(first+windowSteps, g.steps) - 1
		matrix, err := c.history.Query(ctx, expr, g.from.Add(time.Duration(first)*g.step), g.from.Add(time.Duration(last)*g.step), g.step)
		if err != nil {
			return nil, 0, err
		}
		for _, m := range matrix {
			key := m.Metric.String()
			i, known := index[key]
			if !known {
				if (len(subjects)+1)*g.steps > maxValues {
					over[key] = true
					continue
				}
				i = len(subjects)
				index[key] = i
				subjects = append(subjects, subject{m.Metric.Map(), series{g.from, g.step, unknown(g.steps)}})
			}
			for _, p := range m.Floats {
				if at := int(time.UnixMilli(p.T).Sub(g.from) / g.step); !math.IsInf(p.F, 0) {
					subjects[i].series.values[at] = p.F
				}
			}
		}
	}
	return subjects, len(over), nil
}

func unknown(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// granted is what subjects may use and what that did to them, at the end.
type granted struct {
	limits, requests, kills, throttled, replicas known
}

func (c *Capacity) granted(ctx context.Context, s source, g grid) (all granted, err error) {
	for _, x := range []struct {
		into  *known
		exprs []string
	}{{&all.limits, s.limits}, {&all.requests, s.requests}, {&all.kills, s.kills}, {&all.throttled, s.throttled}, {&all.replicas, s.replicas}} {
		for _, expr := range x.exprs {
			matrix, err := c.history.Query(ctx, g.fill(expr), g.end(), g.end(), g.step)
			if err != nil {
				return granted{}, err
			}
			for _, m := range matrix {
				if len(m.Floats) == 0 {
					continue
				}
				if v := m.Floats[0].F; !math.IsNaN(v) && !math.IsInf(v, 0) {
					*x.into = append(*x.into, knownValue{m.Metric, v})
				}
			}
		}
	}
	return all, nil
}

// known are values by the labels of subjects, the best source first.
type known []knownValue

type knownValue struct {
	labels labels.Labels
	value  float64
}

// about reports whether the value is about a subject: one that has all its labels.
func (v knownValue) about(subject map[string]string) bool {
	matches := true
	v.labels.Range(func(l labels.Label) { matches = matches && subject[l.Name] == l.Value })
	return matches
}

// of returns the first value about a subject, nil if there is none.
func (k known) of(subject map[string]string) *float64 {
	for _, v := range k {
		if v.about(subject) {
			return new(v.value)
		}
	}
	return nil
}

// most returns the highest value about a subject: no source sees everything.
func (k known) most(subject map[string]string) (most *float64) {
	for _, v := range k {
		if v.about(subject) && (most == nil || v.value > *most) {
			most = new(v.value)
		}
	}
	return most
}
