package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// maxSteps bounds the evaluations of one backtest: a month at 1 m.
	maxSteps = 50_000
	// maxAlerts bounds the different alerts of one backtest.
	maxAlerts = 10_000
	// maxShown bounds the alerts of an answer; those that fired longest.
	maxShown = 200
	// maxIntervals bounds the intervals that are kept of one alert.
	maxIntervals = 1000
	// windowSteps are evaluated by one query. It bounds memory, and how much is
	// evaluated for a client that has gone.
	windowSteps = 500
	// timeLimit bounds one backtest; what was found by then is not an answer.
	timeLimit = time.Minute
)

// Request is a rule and the time over which it is tried.
type Request struct {
	Expr          string            `json:"expr"`
	For           model.Duration    `json:"for,omitempty"`
	KeepFiringFor model.Duration    `json:"keep_firing_for,omitempty"`
	Alert         string            `json:"alert,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	From          time.Time         `json:"from"`
	To            time.Time         `json:"to"`
	// Step is the interval of evaluations.
	Step model.Duration `json:"step"`
}

// Result is what the rule would have done.
type Result struct {
	Steps int `json:"steps"`
	// Alerts are those that were pending or fired, longest firing first.
	Alerts []Alert `json:"alerts"`
	// Omitted alerts are counted but not listed.
	Omitted int `json:"omitted,omitempty"`
	// Fired is how often an alert began to fire, FiringSeconds for how long, all
	// alerts together.
	Fired         int     `json:"fired"`
	FiringSeconds float64 `json:"firingSeconds"`
	// Messages is absent if nobody knows the routes.
	Messages  *Messages  `json:"messages,omitempty"`
	Threshold *Threshold `json:"threshold,omitempty"`
	Warnings  []string   `json:"warnings,omitempty"`
}

// Alert is one series of the rule.
type Alert struct {
	Labels        map[string]string `json:"labels"`
	Intervals     []Interval        `json:"intervals"`
	FiringSeconds float64           `json:"firingSeconds"`
	// Pended is how often it was pending and did not fire.
	Pended int `json:"pended"`
	fired  int
}

// Interval is one time of firing.
type Interval struct {
	// Active is when the expression began to hold.
	Active time.Time `json:"active"`
	From   time.Time `json:"from"`
	// To is the first evaluation at which it did not fire; absent while it does.
	To time.Time `json:"to,omitzero"`
}

// BadRequest is an error whose cause is the request.
type BadRequest struct{ Err error }

// Error implements error.
func (e BadRequest) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e BadRequest) Unwrap() error { return e.Err }

func bad(format string, args ...any) error { return BadRequest{fmt.Errorf(format, args...)} }

func (r Request) validate(p parser.Parser) (parser.Expr, error) {
	expr, err := p.ParseExpr(r.Expr)
	if err != nil {
		return nil, bad("expr: %w", err)
	}
	if t := expr.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, bad("expr: a %s cannot be alerted on; use an instant vector", parser.DocumentedType(t))
	}
	switch {
	case r.Step <= 0:
		return nil, bad("step: must be positive, such as 15s")
	case r.From.IsZero() || r.To.IsZero() || !r.To.After(r.From):
		return nil, bad("from, to: a time to test is needed, and from must be before to")
	case r.To.Sub(r.From)/time.Duration(r.Step) > maxSteps:
		return nil, bad("step: %v from %s to %s are more than %d evaluations; use a longer step or a shorter time",
			time.Duration(r.Step), r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), maxSteps)
	}
	for name := range r.Labels {
		if !model.UTF8Validation.IsValidLabelName(name) || name == model.MetricNameLabel {
			return nil, bad("labels: %q is no label name", name)
		}
	}
	return expr, nil
}

// Backtest evaluates a rule over stored samples, as the rule manager would have
// done at every step.
func (h *History) Backtest(ctx context.Context, r Request) (Result, error) {
	expr, err := r.validate(h.deps.Parser)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	m := newMachine(r)
	steps, err := h.replay(ctx, r, m)
	if err != nil {
		return Result{}, err
	}
	alerts := m.finish()
	result := Result{Steps: steps}
	if h.deps.Routes != nil {
		messages := countMessages(alerts, h.deps.Routes, r.To)
		result.Messages = &messages
	}
	result.summarize(alerts)
	result.Threshold, err = h.threshold(ctx, r, expr)
	return result, err
}

// summarize counts all alerts and lists the most important ones.
func (r *Result) summarize(alerts []Alert) {
	for _, a := range alerts {
		r.Fired += a.fired
		r.FiringSeconds += a.FiringSeconds
	}
	slices.SortStableFunc(alerts, func(a, b Alert) int { return cmp.Compare(b.FiringSeconds, a.FiringSeconds) })
	r.Alerts = alerts[:min(len(alerts), maxShown)]
	r.Omitted = len(alerts) - len(r.Alerts)
}

// replay feeds the machine with the result of every step.
func (h *History) replay(ctx context.Context, r Request, m *machine) (steps int, err error) {
	step := time.Duration(r.Step)
	for start := r.From; !start.After(r.To); start = start.Add(windowSteps * step) {
		end := start.Add((windowSteps - 1) * step)
		if end.After(r.To) {
			end = r.To
		}
		matrix, err := h.Query(ctx, r.Expr, start, end, step)
		if err != nil {
			return 0, err
		}
		if err := m.window(matrix, start, end, step); err != nil {
			return 0, err
		}
		steps += int(end.Sub(start)/step) + 1
	}
	return steps, nil
}

// Query evaluates an expression at every step from start to end. An error that
// the expression causes, or its size, is a [BadRequest].
func (h *History) Query(ctx context.Context, expr string, start, end time.Time, step time.Duration) (promql.Matrix, error) {
	q, err := h.deps.Engine.NewRangeQuery(ctx, h.deps.Storage, nil, expr, start, end, step)
	if err != nil {
		return nil, bad("expr: %w", err)
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, explain(result.Err)
	}
	matrix, err := result.Matrix()
	if err != nil {
		return nil, bad("expr: %w", err)
	}
	return copyOf(matrix), nil
}

// copyOf keeps a result past the query, which takes its memory back.
func copyOf(matrix promql.Matrix) promql.Matrix {
	out := make(promql.Matrix, len(matrix))
	for i, s := range matrix {
		out[i] = promql.Series{Metric: s.Metric.Copy(), Floats: slices.Clone(s.Floats), Histograms: slices.Clone(s.Histograms)}
	}
	return out
}

// explain tells whose fault a failed query is.
func explain(err error) error {
	var timeout promql.ErrQueryTimeout
	var canceled promql.ErrQueryCanceled
	var samples promql.ErrTooManySamples
	var storageErr promql.ErrStorage
	switch {
	case errors.As(err, &timeout), errors.As(err, &samples), errors.Is(err, context.DeadlineExceeded):
		return bad("too much to read: %w; use a longer step, a shorter time or fewer series", err)
	case errors.As(err, &canceled), errors.As(err, &storageErr):
		return err
	}
	return bad("expr: %w", err)
}

// ruleLabels returns what identifies an alert of the rule: templates stay as
// they are written.
func (r Request) ruleLabels(b *labels.Builder, series labels.Labels) labels.Labels {
	b.Reset(series)
	b.Del(model.MetricNameLabel)
	for name, value := range r.Labels {
		b.Set(name, value)
	}
	b.Set(model.AlertNameLabel, cmp.Or(r.Alert, "Backtest"))
	return b.Labels()
}
