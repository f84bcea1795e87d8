package history

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

// machine is the life of a rule's alerts, step by step, with the meaning that
// `for` and `keep_firing_for` have in Prometheus: an alert is pending from the
// first step at which the expression holds, fires at the first step that is
// `for` later, and is over at the first step at which the expression does not
// hold, or keep_firing_for after that. At a step of 15 s and `for: 30s`:
//
//	holds     y  y  y  y  n
//	state     p  p  f  f  -
type machine struct {
	request Request
	hold    time.Duration
	keep    time.Duration
	builder *labels.Builder
	alerts  map[uint64]*track
}

// track is one alert.
type track struct {
	labels  labels.Labels
	active  time.Time // zero: inactive
	fired   time.Time // zero: pending
	keeping time.Time // when the expression stopped to hold
	alert   Alert
}

func newMachine(r Request) *machine {
	return &machine{
		request: r,
		hold:    time.Duration(r.For),
		keep:    time.Duration(r.KeepFiringFor),
		builder: labels.NewBuilder(labels.EmptyLabels()),
		alerts:  map[uint64]*track{},
	}
}

// cursor walks through the samples of one alert in a window: those of all
// series that the rule's labels make the same.
type cursor struct {
	track *track
	times []int64
	next  int
}

// window advances every alert through the steps from start to end.
func (m *machine) window(matrix promql.Matrix, start, end time.Time, step time.Duration) error {
	cursors, err := m.cursors(matrix)
	if err != nil {
		return err
	}
	for _, c := range cursors {
		for at := start; !at.After(end); at = at.Add(step) {
			holds := c.next < len(c.times) && c.times[c.next] == at.UnixMilli()
			if holds {
				c.next++
				if c.next < len(c.times) && c.times[c.next] == at.UnixMilli() {
					return bad("at %s two series have the labels %s: the rule would fail; keep a label that tells them apart",
						at.UTC().Format(time.RFC3339), c.track.labels)
				}
			}
			m.step(c.track, at, holds)
		}
	}
	return nil
}

// cursors returns one for each alert that is known or has samples.
func (m *machine) cursors(matrix promql.Matrix) ([]*cursor, error) {
	byAlert := make(map[uint64]*cursor, len(m.alerts))
	for id, t := range m.alerts {
		if !t.active.IsZero() {
			byAlert[id] = &cursor{track: t}
		}
	}
	for _, series := range matrix {
		ls := m.request.ruleLabels(m.builder, series.Metric)
		id := ls.Hash()
		if m.alerts[id] == nil {
			if len(m.alerts) >= maxAlerts {
				return nil, bad("the rule has more than %d different alerts; aggregate them, or select fewer series", maxAlerts)
			}
			m.alerts[id] = &track{labels: ls}
		}
		c := byAlert[id]
		if c == nil {
			c = &cursor{track: m.alerts[id]}
			byAlert[id] = c
		}
		for _, p := range series.Floats {
			c.times = append(c.times, p.T)
		}
		for _, p := range series.Histograms {
			c.times = append(c.times, p.T)
		}
	}
	cursors := slices.Collect(maps.Values(byAlert))
	for _, c := range cursors {
		slices.Sort(c.times)
	}
	return cursors, nil
}

// step is one evaluation of one alert.
func (m *machine) step(t *track, at time.Time, holds bool) {
	switch {
	case holds && t.active.IsZero():
		t.active = at
		t.keeping = time.Time{}
	case holds:
		t.keeping = time.Time{}
	case t.active.IsZero():
		return
	case t.fired.IsZero():
		t.alert.Pended++
		t.active = time.Time{}
		return
	default:
		if t.keeping.IsZero() {
			t.keeping = at
		}
		if m.keep == 0 || at.Sub(t.keeping) >= m.keep {
			t.end(at)
			return
		}
	}
	if t.fired.IsZero() && at.Sub(t.active) >= m.hold {
		t.fired = at
		t.alert.fired++
	}
}

// end closes the interval of a firing alert.
func (t *track) end(at time.Time) {
	t.add(Interval{Active: t.active, From: t.fired, To: at}, at)
	t.active, t.fired, t.keeping = time.Time{}, time.Time{}, time.Time{}
}

func (t *track) add(i Interval, end time.Time) {
	t.alert.FiringSeconds += end.Sub(i.From).Seconds()
	if len(t.alert.Intervals) < maxIntervals {
		t.alert.Intervals = append(t.alert.Intervals, i)
	}
}

// finish returns all alerts, in the order of their labels.
func (m *machine) finish() []Alert {
	tracks := slices.Collect(maps.Values(m.alerts))
	slices.SortFunc(tracks, func(a, b *track) int { return labels.Compare(a.labels, b.labels) })
	alerts := make([]Alert, 0, len(tracks))
	for _, t := range tracks {
		if !t.fired.IsZero() {
			t.add(Interval{Active: t.active, From: t.fired}, m.request.To)
		}
		t.alert.Labels = t.labels.Map()
		if t.alert.Intervals == nil {
			t.alert.Intervals = []Interval{}
		}
		alerts = append(alerts, t.alert)
	}
	return alerts
}
