package instrument

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// SyncConfig says how stored rows are measured. Its zero value is usable.
type SyncConfig struct {
	// MaxTrackers bounds the series: a tracker has up to eight. 0 means 5000.
	MaxTrackers int
}

// Sync makes the trackers of a service that stores the exchange's data. A tracker
// is told of each row after the transaction that stored it has committed, and
// shows what came, when, in which order and what is missing.
//
// A tracker knows what this process stored. Whether the store is complete is for
// `hedgewatch audit` to say.
//
// Sync and its trackers are safe for concurrent use.
type Sync struct {
	rows, gaps         *prometheus.CounterVec
	missing            *prometheus.GaugeVec
	lastEvent, lastRow *prometheus.GaugeVec
	lag                *prometheus.HistogramVec
	clock              clock

	mu      sync.Mutex
	tracked map[Dataset]bool
	limit   int
}

// Dataset names the rows that one tracker follows; its fields are the labels.
type Dataset struct {
	// name is the label dataset.
	name string
	// Market is "spot", "usdm" or "coinm".
	Market Market
	// Account is a name of the account, not its key: of fills and incomes.
	Account string
	// Symbol is as the exchange writes it: of klines, trades and fills.
	Symbol string
	// Interval is as the exchange writes it, "1m": of klines.
	Interval string
}

func syncLabels() []string { return []string{"dataset", "market", "account", "symbol", "interval"} }

// String names the dataset in errors.
func (d Dataset) String() string {
	return strings.Join(slices.DeleteFunc(d.labels(), func(s string) bool { return s == "" }), " ")
}

func (d Dataset) labels(more ...string) []string {
	return append([]string{d.name, string(d.Market), d.Account, d.Symbol, d.Interval}, more...)
}

// NewSync registers the metrics hedgewatch_sync_*.
func NewSync(reg prometheus.Registerer, cfg SyncConfig) (*Sync, error) {
	if cfg.MaxTrackers <= 0 {
		cfg.MaxTrackers = 5000
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, syncLabels())
	}
	s := &Sync{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_sync_rows_total",
			Help: "Rows stored, by what they turned out to be: new, out_of_order, duplicate, or history that is too old to judge.",
		}, append(syncLabels(), "outcome")),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_sync_gaps_total",
			Help: "Times that rows were skipped, filled later or not.",
		}, syncLabels()),
		missing:   gauge("hedgewatch_sync_missing_rows", "Rows that were skipped and have not come since."),
		lastEvent: gauge("hedgewatch_sync_last_event_timestamp_seconds", "Time, at the exchange, of the newest row; of a kline its end."),
		lastRow:   gauge("hedgewatch_sync_last_row_timestamp_seconds", "When a row was last stored, new or not."),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hedgewatch_sync_lag_seconds",
			Help:    "Time from an event at the exchange to its row in the store, of rows that are neither history nor duplicates.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}, []string{"dataset", "market", "interval"}),
		tracked: make(map[Dataset]bool),
		limit:   cfg.MaxTrackers,
		clock:   newClock(),
	}
	if err := register(reg, "synchronisation", s.rows, s.gaps, s.missing, s.lastEvent, s.lastRow, s.lag); err != nil {
		return nil, err
	}
	return s, nil
}

// track makes the metrics of a dataset, and claims it: two trackers of the same
// rows would each see half of them.
func (s *Sync) track(of Dataset) (*rows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.tracked[of]:
		return nil, fmt.Errorf("track %v: it is tracked already; keep the tracker and share it", of)
	case len(s.tracked) == s.limit:
		return nil, fmt.Errorf("track %v: there are %d trackers already; raise SyncConfig.MaxTrackers, or Remove what is no longer synchronised", of, s.limit)
	}
	s.tracked[of] = true
	r := &rows{sync: s, of: of, lag: s.lag.WithLabelValues(of.name, string(of.Market), of.Interval)}
	for v := range verdicts {
		r.verdicts[v] = s.rows.WithLabelValues(of.labels(v.String())...)
	}
	return r, nil
}

// rows are the metrics that all trackers share.
type rows struct {
	sync     *Sync
	of       Dataset
	verdicts [verdicts]prometheus.Counter
	lag      prometheus.Observer

	mu     sync.Mutex // Also guards the state of the tracker around it.
	newest time.Time
	// nil until there was a row: no time is not 1970.
	lastEvent, lastRow prometheus.Gauge
}

// stored counts a row whose verdict is in. The caller holds mu.
func (r *rows) stored(v verdict, event time.Time) {
	now := r.sync.clock.unixNano()
	r.verdicts[v].Inc()
	if r.lastRow == nil {
		r.lastRow = r.sync.lastRow.WithLabelValues(r.of.labels()...)
		r.newest, r.lastEvent = event, r.sync.lastEvent.WithLabelValues(r.of.labels()...)
		r.lastEvent.Set(seconds(event))
	}
	r.lastRow.Set(nanoSeconds(now))
	if event.After(r.newest) {
		r.newest = event
		r.lastEvent.Set(seconds(event))
	}
	if v == fresh || v == late {
		// The exchange's clock may be ahead of ours.
		r.lag.Observe(max(0, float64(now-event.UnixNano())/1e9))
	}
}

// remove ends the series. Those of the lag are shared and stay.
func (r *rows) remove() {
	s := r.sync
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tracked, r.of)
	for v := range verdicts {
		s.rows.DeleteLabelValues(r.of.labels(v.String())...)
	}
	s.gaps.DeleteLabelValues(r.of.labels()...)
	for _, g := range []*prometheus.GaugeVec{s.missing, s.lastEvent, s.lastRow} {
		g.DeleteLabelValues(r.of.labels()...)
	}
}
