package anomaly

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/history"
)

const (
	// DefaultRange and DefaultStep hold for a zero [Request].
	DefaultRange = 7 * 24 * time.Hour
	DefaultStep  = 5 * time.Minute

	minRange, maxRange = time.Hour, 28 * 24 * time.Hour
	minStep            = time.Minute
	// maxSeries bounds the series that are looked at, 75 KB each.
	maxSeries = 200
	// maxAnomalies bounds those of one series; the last are kept.
	maxAnomalies = 100
	// together is how far apart two are that are one.
	together = time.Hour
	// windowSteps are evaluated by one query, which bounds its memory.
	windowSteps = 1000
	// timeLimit bounds one report; what was found by then is none.
	timeLimit = time.Minute
)

// Request is what is asked for.
type Request struct {
	// Expr is an instant vector.
	Expr string
	// Range is how far back anomalies are looked for; what was before is learnt.
	Range time.Duration
	To    time.Time // Zero: now.
	// Step is the time between two values.
	Step time.Duration
}

// Report is the answer.
type Report struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	StepSeconds float64   `json:"stepSeconds"`
	// Series are those with anomalies, the newest first.
	Series []Series `json:"series"`
	// Quiet series had none. Unknown ones have too little history to tell.
	Quiet   int `json:"quiet"`
	Unknown int `json:"unknown"`
	// Omitted series were not looked at: there are too many.
	Omitted int `json:"omitted,omitempty"`
}

// Series is one that did what it never does.
type Series struct {
	Labels    map[string]string `json:"labels"`
	Anomalies []Anomaly         `json:"anomalies"`
}

// Anomaly is a stretch of time.
type Anomaly struct {
	From time.Time `json:"from"`
	// To is the last value that is part of it.
	To time.Time `json:"to"`
	// Value is the one that was farthest from what is expected.
	Value    float64 `json:"value"`
	Expected Band    `json:"expected"`
	// Never says that no such value was seen at any time; else it was not at that
	// time of the day.
	Never bool `json:"never"`
}

// Anomalies looks at stored series.
type Anomalies struct {
	history *history.History
	// one report is made at a time: each reads five weeks.
	one chan struct{}
}

// New returns Anomalies that asks h.
func New(h *history.History) *Anomalies { return &Anomalies{h, make(chan struct{}, 1)} }

func bad(format string, args ...any) error {
	return history.BadRequest{Err: fmt.Errorf(format, args...)}
}

func (r Request) complete(now time.Time) (Request, error) {
	r.Range, r.Step = cmp.Or(r.Range, DefaultRange), cmp.Or(r.Step, DefaultStep)
	if r.To.IsZero() {
		r.To = now
	}
	switch {
	case r.Expr == "":
		return r, bad("expr: an expression is needed, such as rate(http_requests_total[5m])")
	case r.Range < minRange || r.Range > maxRange:
		return r, bad("range: %s is not between %s and %s", model.Duration(r.Range), model.Duration(minRange), model.Duration(maxRange))
	case r.Step < minStep || r.Step > slot:
		return r, bad("step: %s is not between %s and %s", model.Duration(r.Step), model.Duration(minStep), model.Duration(slot))
	case r.To.After(now.Add(time.Minute)):
		return r, bad("to: %s is in the future", r.To.Format(time.RFC3339))
	}
	return r, nil
}

// Report learns the weeks before r.Range and looks for anomalies in it.
func (a *Anomalies) Report(ctx context.Context, r Request) (Report, error) {
	r, err := r.complete(time.Now())
	if err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	select {
	case a.one <- struct{}{}:
		defer func() { <-a.one }()
	case <-ctx.Done():
		return Report{}, bad("other reports are being made; try again later")
	}
	to := r.To.UTC().Truncate(r.Step)
	report := Report{From: to.Add(-r.Range), To: to, StepSeconds: r.Step.Seconds(), Series: []Series{}}
	watched := map[string]*watched{}
	over := map[string]bool{}
	for start := report.From.Add(-Memory); !start.After(to); start = start.Add(windowSteps * r.Step) {
		end := start.Add((windowSteps - 1) * r.Step)
		if end.After(to) {
			end = to
		}
		matrix, err := a.history.Query(ctx, r.Expr, start, end, r.Step)
		if err != nil {
			return Report{}, err
		}
		for _, m := range matrix {
			key := m.Metric.String()
			w, known := watched[key]
			if !known {
				if len(watched) == maxSeries {
					over[key] = true
					continue
				}
				w = newWatched(m.Metric.Map(), report.From)
				watched[key] = w
			}
			for _, p := range m.Floats {
				w.look(time.UnixMilli(p.T).UTC(), p.F)
			}
		}
	}
	report.Omitted = len(over)
	report.finish(watched)
	return report, nil
}

func (r *Report) finish(all map[string]*watched) {
	for _, w := range all {
		switch {
		case len(w.Anomalies) > 0:
			r.Series = append(r.Series, w.Series)
		case w.known:
			r.Quiet++
		default:
			r.Unknown++
		}
	}
	newest := func(s Series) time.Time { return s.Anomalies[len(s.Anomalies)-1].To }
	slices.SortFunc(r.Series, func(a, b Series) int {
		return cmp.Or(newest(b).Compare(newest(a)), cmp.Compare(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels)))
	})
}

// watched is a series while it is read.
type watched struct {
	Series
	learner *Learner
	from    time.Time
	known   bool // Anomalies could have been told.
}

func newWatched(labels map[string]string, from time.Time) *watched {
	return &watched{Series: Series{Labels: labels}, learner: NewLearner(), from: from}
}

func (w *watched) look(at time.Time, v float64) {
	bands, is := w.learner.Look(at, v)
	if at.Before(w.from) {
		return
	}
	w.known = w.known || bands.Known
	if !is {
		return
	}
	found := Anomaly{From: at, To: at, Value: v, Expected: bands.OfDay}
	if !bands.All.contains(v) {
		found.Never, found.Expected = true, bands.All
	}
	if n := len(w.Anomalies); n > 0 && at.Sub(w.Anomalies[n-1].To) <= together {
		last := &w.Anomalies[n-1]
		last.To = at
		if found.distance() > last.distance() {
			last.Value, last.Expected, last.Never = v, found.Expected, found.Never
		}
		return
	}
	w.Anomalies = append(w.Anomalies, found)
	if len(w.Anomalies) > maxAnomalies {
		w.Anomalies = w.Anomalies[1:]
	}
}

// distance is how far the value is from what is expected.
func (a Anomaly) distance() float64 { return math.Max(a.Expected.Low-a.Value, a.Value-a.Expected.High) }
