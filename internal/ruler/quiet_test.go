package ruler

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/storage"
)

func TestQuietRemembersExactlyWhatWasAdded(t *testing.T) {
	var q series
	random := rand.New(rand.NewPCG(1, 1))
	model := map[storage.SeriesRef]bool{}
	for range 20000 {
		ref := storage.SeriesRef(random.Uint64N(pages * pageBits))
		if random.IntN(2) == 0 {
			ref %= 4 * pageBits // Close together, as real numbers are.
		}
		if random.IntN(2) == 0 {
			q.add(ref)
			model[ref] = true
		}
		if got := q.has(ref); got != model[ref] {
			t.Fatalf("series %d: got %v, want %v", ref, got, model[ref])
		}
	}
	q.add(pages * pageBits)
	if q.has(pages*pageBits) || q.has(1<<63) {
		t.Error("a number beyond the bound is remembered")
	}
}

func TestQuietLosesNothingToOthers(t *testing.T) {
	var q series
	var all sync.WaitGroup
	for worker := range storage.SeriesRef(4) {
		all.Go(func() {
			for ref := worker; ref < 2*pageBits; ref += 4 {
				q.add(ref)
			}
		})
	}
	all.Wait()
	for ref := range storage.SeriesRef(2 * pageBits) {
		if !q.has(ref) {
			t.Fatalf("series %d was lost", ref)
		}
	}
}
