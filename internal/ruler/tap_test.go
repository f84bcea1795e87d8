package ruler

import (
	"sync/atomic"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// listening is a listener for one rule, and for the recovery of a second one
// that holds nothing.
func listening(tb testing.TB) *listener {
	byName := map[string][]*watch{}
	r := &runner{}
	for _, text := range []string{"used_weight > 2000", "used_weight < 1500"} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			tb.Fatal(err)
		}
		watches := watchesOf(expr, r)
		if text == "used_weight < 1500" {
			watches = watchesWhile(new(atomic.Bool), expr, r)
		}
		for name, w := range watches {
			byName[name] = append(byName[name], w...)
		}
	}
	return &listener{index: newIndex(byName)}
}

var (
	watchedSeries = labels.FromStrings(model.MetricNameLabel, "used_weight", "job", "governor", "market", "usdm")
	otherSeries   = labels.FromStrings(model.MetricNameLabel, "queue_length", "job", "feed", "market", "usdm")
)

func TestQuietSampleCostsNoMemory(t *testing.T) {
	l := listening(t)
	for name, ls := range map[string]labels.Labels{"watched": watchedSeries, "not watched": otherSeries} {
		ref := storage.SeriesRef(len(name))
		if got := testing.AllocsPerRun(100, func() { l.hear(sample{ref: ref, value: 10}, ls) }); got >= 1 {
			t.Errorf("%s: %v allocations for each sample", name, got)
		}
	}
	if len(l.heard)+len(l.costly) > 0 {
		t.Error("a quiet sample was heard")
	}
}

func BenchmarkHear(b *testing.B) {
	for name, ls := range map[string]labels.Labels{"watched": watchedSeries, "other": otherSeries} {
		b.Run(name, func(b *testing.B) {
			l := listening(b)
			b.ReportAllocs()
			for b.Loop() {
				l.hear(sample{ref: storage.SeriesRef(len(name)), value: 10}, ls)
			}
		})
	}
}
