package graph

import (
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/chart"
)

// A question is an alert's expression, taken apart.
type question struct {
	series parser.Expr
	// limit is a scalar expression, or nil.
	limit parser.Expr
	side  chart.Side
}

// split takes `series > limit` apart, with the sides in any order. Of `a and b`
// and `a unless b` it looks at a, whose values those are; of absent(a) at a, which
// ends where the alert begins. Anything else is drawn as it is.
func split(expr parser.Expr) question {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return split(e.Expr)
	case *parser.StepInvariantExpr:
		return split(e.Expr)
	case *parser.Call:
		if e.Func.Name == "absent" {
			return question{series: e.Args[0]}
		}
	case *parser.BinaryExpr:
		switch {
		case e.Op == parser.LAND || e.Op == parser.LUNLESS:
			return split(e.LHS)
		case !e.Op.IsComparisonOperator():
		case e.RHS.Type() == parser.ValueTypeScalar:
			return question{e.LHS, e.RHS, sideOf(e.Op)}
		case e.LHS.Type() == parser.ValueTypeScalar:
			return question{e.RHS, e.LHS, mirrored(sideOf(e.Op))}
		default:
			return question{series: e.LHS}
		}
	}
	return question{series: expr}
}

func sideOf(op parser.ItemType) chart.Side {
	switch op {
	case parser.GTR, parser.GTE:
		return chart.Above
	case parser.LSS, parser.LTE:
		return chart.Below
	}
	return chart.Neither
}

func mirrored(s chart.Side) chart.Side {
	switch s {
	case chart.Above:
		return chart.Below
	case chart.Below:
		return chart.Above
	}
	return s
}

// unitOf guesses the unit of an expression from the names of its metrics, which
// by convention end in it. What is not known is a plain number.
func unitOf(expr parser.Expr) chart.Unit {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return unitOf(e.Expr)
	case *parser.StepInvariantExpr:
		return unitOf(e.Expr)
	case *parser.UnaryExpr:
		return unitOf(e.Expr)
	case *parser.SubqueryExpr:
		return unitOf(e.Expr)
	case *parser.MatrixSelector:
		return unitOf(e.VectorSelector)
	case *parser.VectorSelector:
		return unitOfName(e)
	case *parser.AggregateExpr:
		if keepsUnit(e.Op.String()) {
			return unitOf(e.Expr)
		}
	case *parser.Call:
		switch {
		case e.Func.Name == "histogram_quantile":
			return unitOfBuckets(e.Args[1])
		case e.Func.Name == "quantile_over_time":
			return unitOf(e.Args[1])
		case keepsUnit(e.Func.Name):
			return unitOf(e.Args[0])
		}
	case *parser.BinaryExpr:
		return unitOfBinary(e)
	}
	return chart.Short
}

// unitOfBuckets is that of the metric, whatever counts it went through.
func unitOfBuckets(expr parser.Expr) (unit chart.Unit) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			unit = unitOfName(selector)
		}
		return nil
	})
	return unit
}

func keepsUnit(function string) bool {
	switch function {
	case "sum", "avg", "min", "max", "topk", "bottomk", "quantile", "limitk",
		"avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "last_over_time",
		"abs", "clamp", "clamp_min", "clamp_max", "ceil", "floor", "round",
		"delta", "idelta", "increase", "sort", "sort_desc", "predict_linear":
		return true
	}
	return false
}

func unitOfBinary(e *parser.BinaryExpr) chart.Unit {
	switch e.Op {
	case parser.ADD, parser.SUB:
		// time() - a_timestamp_seconds is an age.
		if call, ok := e.LHS.(*parser.Call); ok && call.Func.Name == "time" {
			return chart.Seconds
		}
		if unit := unitOf(e.LHS); unit != chart.Short {
			return unit
		}
		return unitOf(e.RHS)
	case parser.MUL:
		if number, ok := e.LHS.(*parser.NumberLiteral); ok && number.Val == 100 {
			return chart.Percent
		}
		if number, ok := e.RHS.(*parser.NumberLiteral); ok && number.Val == 100 {
			return chart.Percent
		}
	}
	return chart.Short
}

func unitOfName(v *parser.VectorSelector) chart.Unit {
	name := v.Name
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	for _, ending := range []string{"_bucket", "_sum", "_total"} {
		name = strings.TrimSuffix(name, ending)
	}
	for ending, unit := range map[string]chart.Unit{
		"_seconds":      chart.Seconds,
		"_milliseconds": chart.Milliseconds,
		"_bytes":        chart.Bytes,
		"_percent":      chart.Percent,
		"_ratio":        chart.Ratio,
	} {
		if strings.HasSuffix(name, ending) && !strings.HasSuffix(name, "_timestamp_seconds") {
			return unit
		}
	}
	return chart.Short
}
