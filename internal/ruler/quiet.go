package ruler

import (
	"sync/atomic"

	"github.com/prometheus/prometheus/storage"
)

const (
	pageWords = 1 << 8
	pageBits  = pageWords * 64
	pages     = 1 << 12
)

// series is a set of series, such as those that no rule watches, which most
// samples belong to: a bit is looked up instead of the metric's name and labels.
// The TSDB numbers series in turn and never uses a number again, so a bit per
// number is small; numbers above 67 million are not remembered.
type series struct {
	pages [pages]atomic.Pointer[[pageWords]atomic.Uint64]
}

func (q *series) has(ref storage.SeriesRef) bool {
	n := uint64(ref) / pageBits
	if n >= pages {
		return false
	}
	page := q.pages[n].Load()
	return page != nil && page[uint64(ref)%pageBits/64].Load()&(1<<(ref%64)) != 0
}

func (q *series) add(ref storage.SeriesRef) {
	n := uint64(ref) / pageBits
	if n >= pages {
		return
	}
	page := q.pages[n].Load()
	if page == nil {
		q.pages[n].CompareAndSwap(nil, new([pageWords]atomic.Uint64))
		page = q.pages[n].Load()
	}
	page[uint64(ref)%pageBits/64].Or(1 << (ref % 64))
}
