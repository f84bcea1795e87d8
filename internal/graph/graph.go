// Package graph finds out what picture belongs to an alert: it reads the rule's
// expression from the alert, splits a comparison into series and threshold, asks
// the store for the last hour, and has package chart draw it.
//
// Not every alert has a picture: those that come from no expression have none,
// and neither do those whose series are too many to be drawn in time. Start with
// [New]; [Source.Draw] is a receiver.Graph.
package graph

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/hedgewatch/hedgewatch/internal/chart"
	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	window = time.Hour
	// patience bounds a picture, so that no message waits longer for it.
	patience = time.Second
	// maxSeries and maxSamples bound what a query may read.
	maxSeries  = 5_000
	maxSamples = 300_000
	// finest is the least distance between two points.
	finest = 5 * time.Second
	// drawn is how many series are kept; few can be told apart in one picture.
	drawn = 10
	// concurrent is how many pictures are drawn at the same time; a storm of
	// messages must leave CPU for the alerts.
	concurrent = 2
)

// Deps is what a Source asks.
type Deps struct {
	Engine  promql.QueryEngine
	Storage storage.Queryable
	Parser  parser.Parser
	// Zone is where the clock of the pictures is.
	Zone *time.Location
}

// Source draws alerts.
type Source struct {
	deps  Deps
	theme chart.Theme
	slots chan struct{}
}

// New returns a Source.
func New(d Deps, theme chart.Theme) *Source {
	return &Source{deps: d, theme: theme, slots: make(chan struct{}, concurrent)}
}

// Draw returns a PNG, or nil where there is nothing to draw. It takes at most a
// second.
func (s *Source) Draw(ctx context.Context, r receiver.GraphRequest) ([]byte, error) {
	text := expression(r.Alert)
	if text == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("draw %q: others are being drawn: %w", r.Alert.Name(), ctx.Err())
	}
	c, err := s.chart(ctx, r.Alert, text, time.Now())
	if err != nil {
		return nil, fmt.Errorf("draw %q: %w", r.Alert.Name(), err)
	}
	if len(c.Series) == 0 {
		return nil, nil
	}
	c.Width, c.Height = r.Width, r.Height
	var b bytes.Buffer
	if err := chart.Render(&b, c); err != nil {
		return nil, fmt.Errorf("draw %q: %w", r.Alert.Name(), err)
	}
	return b.Bytes(), nil
}

// expression is the one that the alert's link shows, in Prometheus' form.
func expression(a *alert.Alert) string {
	link, err := url.Parse(a.GeneratorURL)
	if err != nil {
		return "" // Of a source that has its own kind of links.
	}
	return link.Query().Get("g0.expr")
}

func (s *Source) chart(ctx context.Context, a *alert.Alert, text string, now time.Time) (chart.Chart, error) {
	expr, err := s.deps.Parser.ParseExpr(text)
	if err != nil {
		return chart.Chart{}, err
	}
	q := split(expr)
	c := chart.Chart{Title: a.Name(), Theme: s.theme, Unit: unitOf(q.series), Zone: s.deps.Zone}
	if q.limit != nil {
		limit, err := s.scalar(ctx, q.limit, now)
		if err != nil {
			return chart.Chart{}, err
		}
		c.Thresholds = []chart.Threshold{{Value: limit, Side: q.side}}
	}
	found, err := s.last(ctx, q.series, now)
	if err != nil {
		return chart.Chart{}, err
	}
	if len(found) > maxSeries {
		return chart.Chart{}, fmt.Errorf("%q has %d series; %d can be drawn", q.series, len(found), maxSeries)
	}
	c.Step = max(finest, (window*time.Duration(len(found))/maxSamples).Truncate(time.Second)+time.Second)
	c.From, c.To = aligned(a.StartsAt, now, c.Step)
	all, err := s.between(ctx, q.series, c.From, c.To, c.Step)
	if err != nil {
		return chart.Chart{}, err
	}
	own := belonging(all, a.Labels)
	names := tell(own, q.series.String())
	for i, series := range own {
		c.Series = append(c.Series, chart.Series{Name: names[i], Points: points(series)})
	}
	c.Breach = breach(c, a.StartsAt)
	return c, nil
}

// aligned is the last hour, such that one of its steps falls on the moment at
// which the alert fired: a short breach lies between all others.
func aligned(fired, now time.Time, step time.Duration) (from, to time.Time) {
	from = now.Add(-window)
	if fired.Before(from) || fired.After(now) {
		return from, now
	}
	return fired.Add(-fired.Sub(from).Truncate(step)), now
}

func (s *Source) scalar(ctx context.Context, expr parser.Expr, at time.Time) (float64, error) {
	query, err := s.deps.Engine.NewInstantQuery(ctx, s.deps.Storage, nil, expr.String(), at)
	if err != nil {
		return 0, err
	}
	defer query.Close()
	result, err := query.Exec(ctx).Scalar()
	return result.V, err
}

// last is what the expression yields now, of which the number counts.
func (s *Source) last(ctx context.Context, expr parser.Expr, at time.Time) (promql.Vector, error) {
	query, err := s.deps.Engine.NewInstantQuery(ctx, s.deps.Storage, nil, expr.String(), at)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if _, ok := result.Value.(promql.Scalar); ok {
		return nil, result.Err
	}
	return result.Vector()
}

func (s *Source) between(ctx context.Context, expr parser.Expr, from, to time.Time, step time.Duration) (promql.Matrix, error) {
	query, err := s.deps.Engine.NewRangeQuery(ctx, s.deps.Storage, nil, expr.String(), from, to, step)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result, err := query.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	// When the query is closed, the engine takes back every point that it finds in
	// its matrix: ours are copies, in a matrix of our own.
	var own promql.Matrix
	for _, series := range result {
		if len(series.Floats) > 0 {
			own = append(own, promql.Series{Metric: series.Metric, Floats: slices.Clone(series.Floats)})
		}
	}
	return own, nil
}

// belonging are the series that the alert may come from: no label says another
// thing. An alert whose labels were rewritten belongs to none, and gets all.
func belonging(all promql.Matrix, alert model.LabelSet) promql.Matrix {
	own := slices.DeleteFunc(slices.Clone(all), func(s promql.Series) bool {
		foreign := false
		s.Metric.Range(func(l labels.Label) {
			if l.Name != model.MetricNameLabel && string(alert[model.LabelName(l.Name)]) != l.Value {
				foreign = true
			}
		})
		return foreign
	})
	if len(own) == 0 {
		own = all
	}
	slices.SortFunc(own, func(a, b promql.Series) int { return labels.Compare(a.Metric, b.Metric) })
	return own[:min(len(own), drawn)]
}

// tell names each series by what tells it from the others.
func tell(all promql.Matrix, expr string) []string {
	if len(all) == 1 {
		return []string{expr}
	}
	values := make(map[string]map[string]bool)
	for _, s := range all {
		s.Metric.Range(func(l labels.Label) {
			if values[l.Name] == nil {
				values[l.Name] = make(map[string]bool)
			}
			values[l.Name][l.Value] = true
		})
	}
	maps.DeleteFunc(values, func(_ string, v map[string]bool) bool { return len(v) == 1 })
	names := make([]string, len(all))
	for i, s := range all {
		var parts []string
		s.Metric.Range(func(l labels.Label) {
			if values[l.Name] != nil {
				parts = append(parts, l.Value)
			}
		})
		names[i] = cmp.Or(strings.Join(parts, " · "), s.Metric.String())
	}
	return names
}

func points(s promql.Series) []chart.Point {
	out := make([]chart.Point, len(s.Floats))
	for i, p := range s.Floats {
		out[i] = chart.Point{At: time.UnixMilli(p.T), Value: p.F}
	}
	return out
}

// breach is where the value went over the threshold for the last time before the
// alert fired: with a `for` clause that is earlier.
func breach(c chart.Chart, fired time.Time) time.Time {
	at := fired
	if len(c.Series) != 1 || len(c.Thresholds) == 0 {
		return at
	}
	for _, p := range slices.Backward(c.Series[0].Points) {
		if p.At.After(fired) {
			continue
		}
		if !c.Thresholds[0].Breached(p.Value) {
			break
		}
		at = p.At
	}
	return at
}
