package ruler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// indexOf watches what some expressions read.
func indexOf(tb testing.TB, exprs ...string) *index {
	tb.Helper()
	byName := map[string][]*watch{}
	for _, text := range exprs {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			tb.Fatal(err)
		}
		for name, w := range watchesOf(expr, &runner{}) {
			byName[name] = append(byName[name], w...)
		}
	}
	return newIndex(byName)
}

// matching is what an index must find, without a memory.
func matching(x *index, ls labels.Labels) []*watch {
	var want []*watch
	for _, w := range x.byName[ls.Get(model.MetricNameLabel)] {
		if w.matches(ls) {
			want = append(want, w)
		}
	}
	return want
}

// seriesOf is the series with a number.
func seriesOf(n uint64) (storage.SeriesRef, labels.Labels) {
	return storage.SeriesRef(n), labels.FromStrings(
		model.MetricNameLabel, []string{"used_weight", "errors_total", "queue_length"}[n%3],
		"market", fmt.Sprint("m", n%7), "instance", fmt.Sprint("i", n%11),
	)
}

var indexed = []string{
	`used_weight{market="m1"} > 1`, `used_weight > 2000`, `rate(errors_total{instance=~"i[1-4]"}[1m]) > 1`,
	`sum(rate(errors_total{market!="m3"}[1m])) > 1`, `used_weight / on (market) errors_total{instance="i9"} > 5`,
}

func TestIndexFindsTheWatchesThatMatch(t *testing.T) {
	x := indexOf(t, indexed...)
	random := rand.New(rand.NewPCG(1, 1))
	sets := map[string]bool{"[]": true}
	for range 50000 {
		n := 1 + random.Uint64N(3000)
		switch random.IntN(4) {
		case 0:
			n += pageSlots * cachePages // Shares its slot with another one.
		case 1:
			n += maxRef // Has no slot.
		}
		ref, ls := seriesOf(n)
		if got, want := x.of(ref, ls), matching(x, ls); !slices.Equal(got, want) {
			t.Fatalf("series %d %s: got %d watches, want %d", ref, ls, len(got), len(want))
		} else {
			sets[fmt.Sprint(got)] = true
		}
	}
	if got, want := len(*x.lists.Load()), len(sets); got != want {
		t.Errorf("got %d lists, want one for each of %d sets of watches", got, want)
	}
}

// TestIndexKeepsUnnumberedSeriesApart is about storages that take a sample
// without keeping it, and answer with no number.
func TestIndexKeepsUnnumberedSeriesApart(t *testing.T) {
	x := indexOf(t, indexed...)
	for n := range uint64(100) {
		_, ls := seriesOf(n)
		if got, want := x.of(0, ls), matching(x, ls); !slices.Equal(got, want) {
			t.Fatalf("%s: got %d watches, want %d", ls, len(got), len(want))
		}
	}
}

func TestIndexMaySeeManyCommitsAtOnce(t *testing.T) {
	x := indexOf(t, indexed...)
	var all sync.WaitGroup
	for worker := range uint64(4) {
		all.Go(func() {
			for i := range uint64(20000) {
				ref, ls := seriesOf(1 + (i*7+worker)%(2*pageSlots))
				if got, want := x.of(ref, ls), matching(x, ls); !slices.Equal(got, want) {
					t.Errorf("series %d: got %d watches, want %d", ref, len(got), len(want))
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkIndex has a series that one of a hundred rules of its metric reads.
func BenchmarkIndex(b *testing.B) {
	var exprs []string
	for i := range 100 {
		exprs = append(exprs, fmt.Sprintf(`rate(errors_total{instance="i%d"}[1m]) > 1`, i))
	}
	x := indexOf(b, exprs...)
	ref, ls := seriesOf(70)
	b.ReportAllocs()
	for b.Loop() {
		x.of(ref, ls)
	}
}
