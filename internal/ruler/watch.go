package ruler

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// watch is one selector of a rule: it tells which committed samples can change
// the rule's outcome.
type watch struct {
	matchers []*labels.Matcher // less the one for the metric name
	runner   *runner
	// rule is the one to look at for a sample; nil means the whole group.
	rule *rules.AlertingRule
	// compare is set for a rule `selector <comparison> number`, whose outcome
	// changes only when a sample changes sides. Nil means any sample counts.
	compare func(v float64) bool
	// while is set for samples that count at times only; nil means always.
	while *atomic.Bool

	// mu guards active: the series for which compare is true, with the time of
	// their last sample in milliseconds.
	mu     sync.Mutex
	active map[storage.SeriesRef]int64
}

// sample is what a watch needs to know of an appended sample.
type sample struct {
	ref       storage.SeriesRef
	time      int64 // milliseconds since 1970
	value     float64
	histogram bool
}

// wants reports whether the sample, of a series that matches, can change sides.
// Most samples are on the side of "no alert" and stay there: they end here.
func (w *watch) wants(s sample) bool {
	if w.isActive(s) {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, was := w.active[s.ref]
	return was
}

func (w *watch) matches(ls labels.Labels) bool {
	for _, m := range w.matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// isActive reports whether the comparison holds for the sample. A comparison of
// a histogram with a number holds never.
func (w *watch) isActive(s sample) bool {
	return !s.histogram && !value.IsStaleNaN(s.value) && w.compare(s.value)
}

// committed takes note of the sample and wakes the group if it changed sides.
func (w *watch) committed(s sample, at time.Time) {
	active := w.isActive(s)
	w.mu.Lock()
	last, was := w.active[s.ref]
	if active {
		w.active[s.ref] = s.time
	} else {
		delete(w.active, s.ref)
	}
	w.mu.Unlock()
	// A series that was silent for longer than queries look back starts anew.
	if active != was || active && s.time-last > w.runner.lookback.Milliseconds() {
		w.runner.wake(s.time, at)
	}
}

// inherit takes over the active series of the watches of the same metric that
// stood here before a reload, or their return to quiet would go unseen. A series
// too many costs one evaluation.
func (w *watch) inherit(from []*watch) {
	for _, old := range from {
		old.mu.Lock()
		maps.Copy(w.active, old.active)
		old.mu.Unlock()
	}
}

// forget drops the series whose last sample queries do not see any more; they
// ended without a stale marker.
func (w *watch) forget(before int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, last := range w.active {
		if last < before {
			delete(w.active, ref)
		}
	}
}

// watchesOf returns what to watch for a rule's expression, by metric name.
func watchesOf(expr parser.Expr, r *runner) map[string][]*watch {
	if selector, compare := threshold(expr); selector != nil {
		found := map[string][]*watch{}
		addWatch(found, selector, &watch{runner: r, compare: compare})
		return found
	}
	return watchesWhile(nil, expr, r)
}

// watchesWhile returns watches for all samples that an expression reads, which
// count while the condition is set.
func watchesWhile(condition *atomic.Bool, expr parser.Expr, r *runner) map[string][]*watch {
	found := map[string][]*watch{}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if selector, ok := n.(*parser.VectorSelector); ok {
			addWatch(found, selector, &watch{runner: r, while: condition})
		}
		return nil
	})
	return found
}

// addWatch adds a watch for the selector. One without a metric name is left
// out: it would have to be compared with every sample, and the schedule sees to
// it.
func addWatch(to map[string][]*watch, selector *parser.VectorSelector, w *watch) {
	w.active = map[storage.SeriesRef]int64{}
	name := ""
	for _, m := range selector.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		} else {
			w.matchers = append(w.matchers, m)
		}
	}
	if name != "" {
		to[name] = append(to[name], w)
	}
}

// threshold takes apart `selector <comparison> number`, in either order. For
// any other expression it returns nil.
func threshold(expr parser.Expr) (*parser.VectorSelector, func(float64) bool) {
	b, ok := unwrap(expr).(*parser.BinaryExpr)
	if !ok || !b.Op.IsComparisonOperator() || b.ReturnBool {
		return nil, nil
	}
	left, right := unwrap(b.LHS), unwrap(b.RHS)
	op := b.Op
	if _, ok := left.(*parser.NumberLiteral); ok {
		left, right, op = right, left, mirrored(op)
	}
	selector, ok := left.(*parser.VectorSelector)
	if !ok || selector.OriginalOffset != 0 || selector.OriginalOffsetExpr != nil || selector.Timestamp != nil || selector.StartOrEnd != 0 {
		return nil, nil
	}
	limit, ok := right.(*parser.NumberLiteral)
	if !ok || math.IsNaN(limit.Val) {
		return nil, nil
	}
	return selector, comparison(op, limit.Val)
}

func unwrap(expr parser.Expr) parser.Expr {
	for {
		switch e := expr.(type) {
		case *parser.ParenExpr:
			expr = e.Expr
		case *parser.StepInvariantExpr:
			expr = e.Expr
		default:
			return expr
		}
	}
}

// mirrored is the operator with its sides exchanged.
func mirrored(op parser.ItemType) parser.ItemType {
	switch op {
	case parser.GTR:
		return parser.LSS
	case parser.LSS:
		return parser.GTR
	case parser.GTE:
		return parser.LTE
	case parser.LTE:
		return parser.GTE
	default:
		return op
	}
}

func comparison(op parser.ItemType, limit float64) func(float64) bool {
	switch op {
	case parser.GTR:
		return func(v float64) bool { return v > limit }
	case parser.LSS:
		return func(v float64) bool { return v < limit }
	case parser.GTE:
		return func(v float64) bool { return v >= limit }
	case parser.LTE:
		return func(v float64) bool { return v <= limit }
	case parser.EQLC:
		return func(v float64) bool { return v == limit }
	default: // parser.NEQ
		return func(v float64) bool { return v != limit }
	}
}
