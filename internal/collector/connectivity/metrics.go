package connectivity

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are counted as things happen; the rest is read from the state.
type metrics struct {
	latency      *prometheus.HistogramVec
	failures     *prometheus.CounterVec
	streamErrors *prometheus.CounterVec

	offset, clockError, up, success, maintenance    *prometheus.Desc
	symbols, symbol, changes                        *prometheus.Desc
	connected, awaiting, subscribed, last, messages *prometheus.Desc
	reconnects, silentAfter                         *prometheus.Desc
}

func newMetrics() *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"market"}, labels...), nil)
	}
	const stream = "stream"
	return &metrics{
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hedgewatch_binance_rest_latency_seconds",
			Help:    "Time from a request for the exchange's clock to its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"market"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_binance_probe_failures_total", Help: "Probes that had no answer, or one that is no success.",
		}, []string{"market", "probe"}),
		streamErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_binance_stream_errors_total", Help: "Connections of streams that ended, or could not be opened.",
		}, []string{"market"}),
		offset:      desc("hedgewatch_binance_clock_offset_seconds", "The exchange's time less ours; absent until it was measured."),
		clockError:  desc("hedgewatch_binance_clock_error_seconds", "What the clock offset may be wrong by: half the shortest round trip."),
		up:          desc("hedgewatch_binance_probe_success", "Whether the last probe had a good answer.", "probe"),
		success:     desc("hedgewatch_binance_probe_last_success_timestamp_seconds", "When a probe last had a good answer; absent if it never had.", "probe"),
		maintenance: desc("hedgewatch_binance_maintenance", "Whether the exchange says that it is in maintenance; absent while that is not known."),
		symbols:     desc("hedgewatch_binance_symbols", "Symbols by status.", "status"),
		symbol:      desc("hedgewatch_binance_symbol_trading", "Whether a watched symbol is traded; the status is 'missing' if the exchange does not have it.", "symbol", "status"),
		changes:     desc("hedgewatch_binance_info_changes_total", "Changes of exchangeInfo.", "change"),
		connected:   desc("hedgewatch_binance_stream_connected", "Whether there is a connection.", stream),
		awaiting:    desc("hedgewatch_binance_stream_awaiting_first_message", "Whether the subscription of the current connection has brought no data frame yet.", stream),
		subscribed:  desc("hedgewatch_binance_stream_subscribed_timestamp_seconds", "When the stream was last subscribed.", stream),
		last:        desc("hedgewatch_binance_stream_last_message_timestamp_seconds", "When the last data frame came.", stream),
		messages:    desc("hedgewatch_binance_stream_messages_total", "Data frames received; acknowledgements and pings are none.", stream),
		reconnects:  desc("hedgewatch_binance_stream_reconnects_total", "Connections after the first one, without those that replace one in time. Data of the time in between is lost.", stream),
		silentAfter: desc("hedgewatch_binance_stream_silent_after_seconds", "How long the stream may bring no data before that is not its normal rate.", stream),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	m := c.metrics
	m.latency.Describe(ch)
	m.failures.Describe(ch)
	m.streamErrors.Describe(ch)
	for _, d := range []*prometheus.Desc{
		m.offset, m.clockError, m.up, m.success, m.maintenance, m.symbols, m.symbol, m.changes,
		m.connected, m.awaiting, m.subscribed, m.last, m.messages, m.reconnects, m.silentAfter,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	w := c.now.Load()
	if w == nil {
		return
	}
	c.metrics.latency.Collect(ch)
	c.metrics.failures.Collect(ch)
	c.metrics.streamErrors.Collect(ch)
	for _, m := range w.markets {
		c.collectMarket(ch, m, w.cfg)
	}
	for _, s := range w.streams {
		c.collectStream(ch, s)
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, v int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func timestamp(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// staleAfter is how many intervals a reading stays true: what could not be read
// again is unknown, not what it was.
const staleAfter = 4

func (c *Collector) collectMarket(ch chan<- prometheus.Metric, m *market, cfg Config) {
	d, name, now := c.metrics, string(m.name), time.Now()
	since := now.Add(-max(staleAfter*time.Duration(cfg.ClockInterval), time.Minute))
	if s, ok := m.clock.best(since); ok {
		gauge(ch, d.offset, s.offset.Seconds(), name)
		gauge(ch, d.clockError, s.error.Seconds(), name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, probe := range slices.Sorted(maps.Keys(m.probes)) {
		p := m.probes[probe]
		gauge(ch, d.up, flag(p.ok), name, probe)
		if !p.success.IsZero() {
			gauge(ch, d.success, timestamp(p.success), name, probe)
		}
	}
	fresh := func(probe string, interval time.Duration) bool {
		p := m.probes[probe]
		return !p.success.IsZero() && now.Sub(p.success) < staleAfter*interval
	}
	if fresh(probeStatus, statusInterval) {
		gauge(ch, d.maintenance, flag(m.maintenance), name)
	}
	if m.info == nil {
		return
	}
	for _, kind := range changeKinds() {
		counter(ch, d.changes, m.changed[kind], name, kind)
	}
	if !fresh(probeInfo, time.Duration(cfg.InfoInterval)) {
		return
	}
	for status, n := range m.info.counts() {
		gauge(ch, d.symbols, float64(n), name, status)
	}
	for _, symbol := range cfg.Symbols[m.name] {
		status, ok := m.info.status[symbol]
		if !ok {
			status = "missing"
		}
		gauge(ch, d.symbol, flag(status == trading), name, symbol, status)
	}
}

func (c *Collector) collectStream(ch chan<- prometheus.Metric, s *stream) {
	d := c.metrics
	s.mu.Lock()
	defer s.mu.Unlock()
	labels := []string{string(s.market), s.name}
	gauge(ch, d.connected, flag(s.on > 0), labels...)
	gauge(ch, d.awaiting, flag(s.awaiting), labels...)
	gauge(ch, d.silentAfter, s.rate.patience().Seconds(), labels...)
	counter(ch, d.messages, s.messages, labels...)
	counter(ch, d.reconnects, s.reconnects, labels...)
	if !s.subscribed.IsZero() {
		gauge(ch, d.subscribed, timestamp(s.subscribed), labels...)
	}
	if !s.last.IsZero() {
		gauge(ch, d.last, timestamp(s.last), labels...)
	}
}
