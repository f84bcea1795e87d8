package instrument

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// httpSeries are the metrics of one route or peer and one method.
type httpSeries struct {
	requests [outcomes]prometheus.Counter
	took     prometheus.Observer
	panics   prometheus.Counter
}

// httpKey names what a series is about: the pattern of a route, and a method.
type httpKey struct{ name, method string }

// seriesTable finds series without a lock and without an allocation, which the
// WithLabelValues of a metric cannot. It has a bound: what is new after that
// shares the name "other".
type seriesTable struct {
	build func(httpKey) *httpSeries
	known atomic.Pointer[map[httpKey]*httpSeries]

	mu sync.Mutex // Held while the table grows.
	// names are those that were given a series of their own.
	names map[string]bool
	limit int
}

func newSeriesTable(limit int, build func(httpKey) *httpSeries) *seriesTable {
	t := &seriesTable{build: build, names: make(map[string]bool), limit: limit}
	t.known.Store(&map[httpKey]*httpSeries{})
	return t
}

func (t *seriesTable) get(key httpKey) *httpSeries {
	if s := (*t.known.Load())[key]; s != nil {
		return s
	}
	return t.add(key)
}

// claim returns the name that the series of name are kept under.
func (t *seriesTable) claim(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.claimLocked(name)
}

func (t *seriesTable) claimLocked(name string) string {
	if !t.names[name] {
		if len(t.names) >= t.limit {
			return "other"
		}
		t.names[name] = true
	}
	return name
}

func (t *seriesTable) add(key httpKey) *httpSeries {
	t.mu.Lock()
	defer t.mu.Unlock()
	key.name = t.claimLocked(key.name)
	known := *t.known.Load()
	if s := known[key]; s != nil {
		return s
	}
	s := t.build(key)
	grown := maps.Clone(known)
	grown[key] = s
	t.known.Store(&grown)
	return s
}
