package ruler

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// index finds the watches for a committed sample. It remembers what it found by
// the number of the series, so that neither a series that no rule reads, as most
// are, nor one of a metric that many rules read costs a look at its labels again.
type index struct {
	byName map[string][]*watch
	cache  [cachePages]atomic.Pointer[[pageSlots]atomic.Uint64]

	// lists are the sets of watches that series have; the first one is empty.
	// Series of a job nearly all have one of a few.
	lists atomic.Pointer[[][]*watch]
	mu    sync.Mutex
	known map[string]uint64 // by name and positions below it; guarded by mu
}

// The cache has a slot for each of four million series, by their number, and is
// made in pages of 32 KiB as series appear. The TSDB numbers series in turn, so
// those of the same time do not share slots; a later one takes over. A slot
// holds the series' number and, in its low bits, its list's plus one.
const (
	pageSlots  = 1 << 12
	cachePages = 1 << 10
	listBits   = 20
	maxLists   = 1<<listBits - 1
	maxRef     = 1<<(64-listBits) - 1
)

func newIndex(byName map[string][]*watch) *index {
	x := &index{byName: byName, known: map[string]uint64{"": 0}}
	x.lists.Store(&[][]*watch{nil})
	return x
}

// of returns the watches that match a series.
func (x *index) of(ref storage.SeriesRef, ls labels.Labels) []*watch {
	// Zero is no number: whoever returns it did not store the sample.
	if ref == 0 || ref > maxRef {
		found, _ := x.find(ls)
		return found
	}
	n := uint64(ref)
	page := x.cache[n/pageSlots%cachePages].Load()
	if page != nil {
		if held := page[n%pageSlots].Load(); held>>listBits == n {
			return (*x.lists.Load())[held&maxLists-1]
		}
	}
	found, key := x.find(ls)
	list, ok := x.list(found, key)
	if !ok {
		return found
	}
	if page == nil {
		at := &x.cache[n/pageSlots%cachePages]
		at.CompareAndSwap(nil, new([pageSlots]atomic.Uint64))
		page = at.Load()
	}
	page[n%pageSlots].Store(n<<listBits | (list + 1))
	return found
}

// find looks at the labels. The key is equal for equal lists.
func (x *index) find(ls labels.Labels) (found []*watch, key string) {
	name := ls.Get(model.MetricNameLabel)
	var positions []byte
	for i, w := range x.byName[name] {
		if w.matches(ls) {
			found = append(found, w)
			positions = binary.AppendUvarint(positions, uint64(i))
		}
	}
	if len(found) == 0 {
		return nil, ""
	}
	return found, name + "\xff" + string(positions)
}

// list returns the number of a list, and false if there are too many.
func (x *index) list(found []*watch, key string) (uint64, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n, ok := x.known[key]; ok {
		return n, true
	}
	lists := *x.lists.Load()
	if len(lists) >= maxLists {
		return 0, false
	}
	n := uint64(len(lists))
	// Readers have the slice as it was, and look no further than its length.
	lists = append(lists, found)
	x.lists.Store(&lists)
	x.known[key] = n
	return n, true
}
