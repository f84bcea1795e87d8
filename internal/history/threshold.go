package history

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// thresholdSteps and maxValues bound what is looked at for a suggestion.
	thresholdSteps = 500
	maxValues      = 500_000
	// quietShare is how much of the time a suggested threshold stays silent.
	quietShare = 0.999
)

// Threshold is what the compared side of a comparison was like.
type Threshold struct {
	// Expr is the compared side, Op the comparison, Value the threshold.
	Expr  string  `json:"expr"`
	Op    string  `json:"op"`
	Value float64 `json:"value"`
	// Quantiles of the samples, by share: "0.5" is the median, "1" the maximum.
	Quantiles map[string]float64 `json:"quantiles"`
	// Suggestion would have been crossed in one of a thousand samples.
	Suggestion float64 `json:"suggestion"`
}

var shares = map[string]float64{"0": 0, "0.001": 0.001, "0.01": 0.01, "0.05": 0.05, "0.5": 0.5, "0.95": 0.95, "0.99": 0.99, "0.999": 0.999, "1": 1}

// comparison finds `something > number` in an expression, also turned around.
func comparison(expr parser.Expr) (side parser.Expr, op parser.ItemType, value float64, ok bool) {
	for {
		p, isParen := expr.(*parser.ParenExpr)
		if !isParen {
			break
		}
		expr = p.Expr
	}
	b, isBinary := expr.(*parser.BinaryExpr)
	if !isBinary || !b.Op.IsComparisonOperator() || b.ReturnBool {
		return nil, 0, 0, false
	}
	if n, isNumber := number(b.RHS); isNumber {
		return b.LHS, b.Op, n, true
	}
	if n, isNumber := number(b.LHS); isNumber {
		return b.RHS, turned(b.Op), n, true
	}
	return nil, 0, 0, false
}

func number(expr parser.Expr) (float64, bool) {
	switch e := expr.(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.ParenExpr:
		return number(e.Expr)
	case *parser.UnaryExpr:
		n, ok := number(e.Expr)
		if e.Op == parser.SUB {
			n = -n
		}
		return n, ok
	}
	return 0, false
}

func turned(op parser.ItemType) parser.ItemType {
	switch op {
	case parser.GTR:
		return parser.LSS
	case parser.LSS:
		return parser.GTR
	case parser.GTE:
		return parser.LTE
	case parser.LTE:
		return parser.GTE
	}
	return op
}

// threshold looks at the compared side; nil if there is none to suggest for.
func (h *History) threshold(ctx context.Context, r Request, expr parser.Expr) (*Threshold, error) {
	side, op, value, ok := comparison(expr)
	if !ok || side.Type() != parser.ValueTypeVector || op == parser.EQLC || op == parser.NEQ {
		return nil, nil
	}
	step := max(time.Duration(r.Step), r.To.Sub(r.From)/thresholdSteps)
	matrix, err := h.Query(ctx, side.String(), r.From, r.To, step)
	if err != nil {
		return nil, err
	}
	var values []float64
	for _, series := range matrix {
		for _, p := range series.Floats {
			if !math.IsNaN(p.F) && !math.IsInf(p.F, 0) && len(values) < maxValues {
				values = append(values, p.F)
			}
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	slices.Sort(values)
	t := &Threshold{Expr: side.String(), Op: op.String(), Value: value, Quantiles: map[string]float64{}}
	for name, share := range shares {
		t.Quantiles[name] = quantile(values, share)
	}
	t.Suggestion = quantile(values, quietShare)
	if op == parser.LSS || op == parser.LTE {
		t.Suggestion = quantile(values, 1-quietShare)
	}
	return t, nil
}

// quantile reads sorted values, by nearest rank.
func quantile(values []float64, share float64) float64 {
	return values[int(math.Round(share*float64(len(values)-1)))]
}
