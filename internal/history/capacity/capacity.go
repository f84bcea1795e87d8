// Package capacity says what sizes stored use asks for: what is usual, what the
// peaks were and when they come, what is left at them, and what to change, each
// with its reason.
//
// It changes nothing and sizes nothing by itself. It says nothing where too
// little is known. Start with [New]; sources.go lists what is looked at.
package capacity

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/history"
)

const (
	// DefaultRange and DefaultMargin hold for a zero [Request].
	DefaultRange  = week
	DefaultMargin = 0.2

	minRange  = time.Hour
	maxRange  = 92 * 24 * time.Hour
	maxMargin = 3
	// maxSteps is how many values of a series are looked at: a week of minutes.
	maxSteps = 7 * 24 * 60
	// minStep is the least time that one value stands for.
	minStep = time.Minute
	// minWindow is the least time over which rates are taken: two samples of a
	// target that is scraped each minute.
	minWindow = 2 * time.Minute
	// timeLimit bounds one report; what was found by then is none.
	timeLimit = 2 * time.Minute
	// maxItems bounds the items of a report; the worst are kept.
	maxItems = 1000
)

// Request is what is asked for; its zero value is a week with a margin of 20 %.
type Request struct {
	Range  time.Duration
	To     time.Time // Zero: now.
	Margin float64   // Share of a peak that is to be left above it.
	Kind   string    // One of the kinds, or all.
}

// Report is the answer.
type Report struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// StoredFrom is when the first value was that is known; absent if there is none.
	StoredFrom  time.Time `json:"storedFrom,omitzero"`
	StepSeconds float64   `json:"stepSeconds"`
	Margin      float64   `json:"margin"`
	// Items are what there is, what needs somebody first.
	Items []Item `json:"items"`
	// Omitted items are not listed: there are too many.
	Omitted int `json:"omitted,omitempty"`
	// GiveBack is what could be given back, by kind and resource.
	GiveBack []Sum `json:"giveBack"`
}

// Sum is a sum over items.
type Sum struct {
	Kind     string  `json:"kind"`
	Resource string  `json:"resource"`
	Unit     string  `json:"unit"`
	Value    float64 `json:"value"`
}

// Item is one resource of one subject.
type Item struct {
	Kind     string            `json:"kind"`
	Name     string            `json:"name"`
	Labels   map[string]string `json:"labels"`
	Resource string            `json:"resource"`
	// Unit of all values: cores, bytes or count.
	Unit string `json:"unit"`

	FirstSeen time.Time `json:"firstSeen"`
	LastSeen  time.Time `json:"lastSeen"`
	// SeenSeconds is for how long the use is known, gaps left out.
	SeenSeconds float64 `json:"seenSeconds"`

	Usual float64 `json:"usual"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Peak  Peak    `json:"peak"`
	// Week has the highest use of each hour of the week, from Monday 00:00 UTC;
	// null is unknown.
	Week []*float64 `json:"week"`
	// Busy are the hours of the week, in UTC, that stand out.
	Busy []string `json:"busy"`

	// Request and Limit are what is granted now; absent if not known.
	Request *float64 `json:"request,omitempty"`
	Limit   *float64 `json:"limit,omitempty"`
	// Headroom is the share of the limit that was left at the peak.
	Headroom *float64 `json:"headroom,omitempty"`
	// PerWeek is the trend; absent if there is none.
	PerWeek *float64 `json:"perWeek,omitempty"`
	// Full is when the limit would be reached.
	Full time.Time `json:"full,omitzero"`
	// Kills are kills for lack of memory; absent if they are not counted.
	Kills *float64 `json:"kills,omitempty"`
	// Throttled is the share of the CPU's periods in which a limit held it back.
	Throttled *float64 `json:"throttled,omitempty"`
	// Replicas share the name; the use is that of the busiest one.
	Replicas float64 `json:"replicas,omitempty"`

	Verdict Verdict `json:"verdict"`
	// NewRequest and NewLimit are what is recommended; absent: nothing is.
	NewRequest *float64 `json:"newRequest,omitempty"`
	NewLimit   *float64 `json:"newLimit,omitempty"`
	GiveBack   *float64 `json:"giveBack,omitempty"`
	// Reason says what was seen, Advice what to do about it.
	Reason string `json:"reason"`
	Advice string `json:"advice,omitempty"`
	// Explore is the expression that draws the use.
	Explore string `json:"explore"`
}

// Peak is the highest use.
type Peak struct {
	Value float64   `json:"value"`
	At    time.Time `json:"at"`
	// Seconds is how long the use stayed within a tenth of it.
	Seconds float64 `json:"seconds"`
}

// Capacity looks at stored use.
type Capacity struct {
	history *history.History
	// one report is made at a time: each reads a week of everything.
	one chan struct{}
}

// New returns a Capacity that asks h.
func New(h *history.History) *Capacity { return &Capacity{h, make(chan struct{}, 1)} }

func bad(format string, args ...any) error {
	return history.BadRequest{Err: fmt.Errorf(format, args...)}
}

// complete fills in what is not given.
func (r Request) complete(now time.Time) (Request, error) {
	r.Range = cmp.Or(r.Range, DefaultRange)
	r.Margin = cmp.Or(r.Margin, DefaultMargin)
	if r.To.IsZero() {
		r.To = now
	}
	switch {
	case r.Range < minRange || r.Range > maxRange:
		return r, bad("range: %s is not between %s and %s", model.Duration(r.Range), model.Duration(minRange), model.Duration(maxRange))
	case !(r.Margin > 0 && r.Margin <= maxMargin):
		return r, bad("margin: %v is not above 0 and at most %d; 0.2 leaves a fifth of the peak above it", r.Margin, maxMargin)
	case r.To.After(now.Add(time.Minute)):
		return r, bad("to: %s is in the future", r.To.Format(time.RFC3339))
	case r.Kind != "" && !slices.Contains(kinds, r.Kind):
		return r, bad("kind: there is no %q; use one of %s", r.Kind, strings.Join(kinds, ", "))
	}
	return r, nil
}

// Report looks at everything that sources.go lists.
func (c *Capacity) Report(ctx context.Context, r Request) (Report, error) {
	r, err := r.complete(time.Now())
	if err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	select {
	case c.one <- struct{}{}:
		defer func() { <-c.one }()
	case <-ctx.Done():
		return Report{}, bad("other reports are being made; try again later")
	}
	g := gridOf(r)
	report := Report{From: g.from, To: r.To, StepSeconds: g.step.Seconds(), Margin: r.Margin, Items: []Item{}, GiveBack: []Sum{}}
	for _, s := range sources() {
		if r.Kind != "" && s.kind != r.Kind {
			continue
		}
		items, dropped, err := c.look(ctx, s, g, r.Margin)
		if err != nil {
			return Report{}, fmt.Errorf("%s of kind %s: %w", s.resource, s.kind, err)
		}
		report.Items = append(report.Items, items...)
		report.Omitted += dropped
	}
	report.finish()
	return report, nil
}

// finish sorts, sums and bounds.
func (r *Report) finish() {
	slices.SortStableFunc(r.Items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(slices.Index(verdicts, a.Verdict), slices.Index(verdicts, b.Verdict)),
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Resource, b.Resource))
	})
	for _, i := range r.Items {
		if r.StoredFrom.IsZero() || i.FirstSeen.Before(r.StoredFrom) {
			r.StoredFrom = i.FirstSeen
		}
		if i.GiveBack == nil {
			continue
		}
		at := slices.IndexFunc(r.GiveBack, func(s Sum) bool { return s.Kind == i.Kind && s.Resource == i.Resource })
		if at < 0 {
			at = len(r.GiveBack)
			r.GiveBack = append(r.GiveBack, Sum{i.Kind, i.Resource, i.Unit, 0})
		}
		r.GiveBack[at].Value += *i.GiveBack
	}
	if len(r.Items) > maxItems {
		r.Omitted += len(r.Items) - maxItems
		r.Items = r.Items[:maxItems]
	}
}

// look makes the items of one source.
func (c *Capacity) look(ctx context.Context, s source, g grid, margin float64) (items []Item, dropped int, err error) {
	subjects, dropped, err := c.collect(ctx, s, g)
	if err != nil || len(subjects) == 0 {
		return nil, dropped, err
	}
	granted, err := c.granted(ctx, s, g)
	if err != nil {
		return nil, 0, err
	}
	for _, subject := range subjects {
		u, ok := measure(subject.series)
		if !ok {
			continue
		}
		f := facts{source: s, usage: u, margin: margin, step: g.step, end: g.end()}
		f.request, f.limit = granted.requests.of(subject.labels), granted.limits.of(subject.labels)
		f.kills, f.throttled = granted.kills.most(subject.labels), granted.throttled.most(subject.labels)
		if n := granted.replicas.of(subject.labels); n != nil {
			f.replicas = *n
		}
		item := Item{
			Kind: s.kind, Name: s.name(subject.labels), Labels: subject.labels, Resource: s.resource, Unit: s.unit,
			FirstSeen: u.first, LastSeen: u.last, SeenSeconds: (time.Duration(u.seen) * g.step).Seconds(),
			Usual: u.usual, P95: u.p95, P99: u.p99, Peak: Peak{u.peak, u.peakAt, u.peakFor.Seconds()},
			Week: weekOf(u), Busy: busyHours(u),
			Request: f.request, Limit: f.limit, Kills: f.kills, Throttled: f.throttled, Replicas: f.replicas,
			Explore: s.explore(subject.labels),
		}
		f.judge(&item)
		items = append(items, item)
	}
	return items, dropped, nil
}

// weekOf writes the week with three digits, which is enough to draw.
func weekOf(u usage) []*float64 {
	out := make([]*float64, len(u.week))
	for i, v := range u.week {
		switch {
		case v == 0:
			out[i] = new(0.0)
		case !math.IsNaN(v):
			scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
			out[i] = new(math.Round(v*scale) / scale)
		}
	}
	return out
}
