package ruler

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

// evidence turns a condition into the question whether it can be decided: its
// comparisons do not drop what they are not true for, so that an alert whose
// labels are in the result has recovered, and one whose labels are not has no
// data. Labels stay what they are, but for the metric name.
//
//	used_weight > 2000                     used_weight > bool 2000
//	rate(errors[1m]) > 1 and up == 1       rate(errors[1m]) > bool 1 and up == bool 1
//	queue > 5 unless on (job) maintenance  queue > bool 5
//
// It changes expr. An error says why expr has no such form.
func evidence(expr parser.Expr) (parser.Expr, error) {
	var err error
	into := func(e parser.Expr) parser.Expr {
		if err == nil && e != nil {
			e, err = evidence(e)
		}
		return e
	}
	switch e := expr.(type) {
	case *parser.BinaryExpr:
		if e.Op == parser.LUNLESS {
			return evidence(e.LHS)
		}
		e.LHS, e.RHS = into(e.LHS), into(e.RHS)
		e.ReturnBool = e.Op.IsComparisonOperator()
	case *parser.AggregateExpr:
		switch e.Op {
		case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
			return evidence(e.Expr) // They drop series that have data.
		case parser.COUNT_VALUES:
			return nil, fmt.Errorf("%s() gives a changed value new labels, as if the old ones had no data; leave the annotation out", e.Op)
		}
		e.Expr = into(e.Expr)
	case *parser.Call:
		switch e.Func.Name {
		case "absent", "absent_over_time":
			return nil, fmt.Errorf("the condition of %s() is that there is no data; leave the annotation out", e.Func.Name)
		}
		for i := range e.Args {
			e.Args[i] = into(e.Args[i])
		}
	case *parser.SubqueryExpr:
		e.Expr = into(e.Expr)
	case *parser.ParenExpr:
		e.Expr = into(e.Expr)
	case *parser.UnaryExpr:
		e.Expr = into(e.Expr)
	case *parser.StepInvariantExpr:
		e.Expr = into(e.Expr)
	}
	return expr, err
}
