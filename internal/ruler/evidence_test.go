package ruler

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

func TestEvidence(t *testing.T) {
	tests := []struct{ condition, want string }{
		{"x > 5", "x > bool 5"},
		{"5 <= x", "5 <= bool x"},
		{"x == bool 1", "x == bool 1"},
		{"x", "x"},
		{"-(x > 5)", "-(x > bool 5)"},
		{"rate(x[1m]) > 1 and up == 1", "rate(x[1m]) > bool 1 and up == bool 1"},
		{"x > 5 or y < 3", "x > bool 5 or y < bool 3"},
		{"x > 5 unless on (job) maintenance == 1", "x > bool 5"},
		{"x > on (job) group_left () y", "x > bool on (job) group_left () y"},
		{"count by (job) (x > 5) > 3", "count by (job) (x > bool 5) > bool 3"},
		{"topk(3, x > 5) > 6", "x > bool 5 > bool 6"},
		{"bottomk by (job) (3, x)", "x"},
		{"max_over_time((x > 5)[5m:1m]) > 0", "max_over_time((x > bool 5)[5m:1m]) > bool 0"},
		{"time() - x > 300", "time() - x > bool 300"},
		{"histogram_quantile(0.99, rate(x_bucket[5m])) > 1", "histogram_quantile(0.99, rate(x_bucket[5m])) > bool 1"},
		{"absent(x) > 0", "error: the condition of absent() is that there is no data; leave the annotation out"},
		{"x > 5 and absent_over_time(y[5m])", "error: the condition of absent_over_time() is that there is no data; leave the annotation out"},
		{`count_values("v", x) > 5`, "error: count_values() gives a changed value new labels, as if the old ones had no data; leave the annotation out"},
	}
	p := parser.NewParser(parser.Options{})
	for _, tt := range tests {
		t.Run(tt.condition, func(t *testing.T) {
			expr, err := p.ParseExpr(tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if expr, err = evidence(expr); err != nil {
				got = "error: " + err.Error()
			} else {
				got = expr.String()
			}
			if got != tt.want && got != strings.TrimSuffix(strings.TrimPrefix(tt.want, "("), ")") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzPolicy holds policies to this: what is accepted can be asked of the
// engine.
func FuzzPolicy(f *testing.F) {
	f.Add("x > 5", "keep", "x < 3")
	f.Add("topk(2, x) unless y", "fire", "sum(x) < 3 or vector(1)")
	f.Add("absent(x)", "ok", "1")
	f.Add("a == on() group_right b", "keep", "x[5m]")
	p := parser.NewParser(parser.Options{})
	f.Fuzz(func(t *testing.T, expr, noData, recovery string) {
		if _, err := p.ParseExpr(expr); err != nil {
			return
		}
		pol, errs := policyOf(map[string]string{noDataAnnotation: noData, recoveryAnnotation: recovery}, expr, p)
		if pol == nil {
			if len(errs) == 0 {
				t.Error("neither a policy nor an error")
			}
			return
		}
		if pol.evidence == nil {
			return
		}
		if _, err := p.ParseExpr(pol.evidence.String()); err != nil {
			t.Errorf("the evidence of %q is %q: %v", expr, pol.evidence, err)
		}
	})
}
