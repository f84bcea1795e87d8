package instrument

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StreamsConfig says how streams are measured. Its zero value is usable.
type StreamsConfig struct {
	// MaxStreams bounds the series: a stream has up to six. 0 means 2000.
	MaxStreams int
}

// Streams makes the trackers of WebSocket streams. A stream is healthy when data
// comes: a connection that stands and a subscription that was acknowledged prove
// nothing.
//
// Streams and its trackers are safe for concurrent use.
type Streams struct {
	messages, reconnects                  *prometheus.CounterVec
	connected, awaiting, subscribed, last *prometheus.GaugeVec
	lag                                   *prometheus.HistogramVec

	clock clock

	mu      sync.Mutex
	tracked map[[2]string]bool
	limit   int
}

// NewStreams registers the metrics hedgewatch_binance_stream_*.
func NewStreams(reg prometheus.Registerer, cfg StreamsConfig) (*Streams, error) {
	if cfg.MaxStreams <= 0 {
		cfg.MaxStreams = 2000
	}
	const prefix = "hedgewatch_binance_stream_"
	labels := []string{"market", "stream"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: help}, labels)
	}
	s := &Streams{
		messages:   counter("messages_total", "Data frames received; acknowledgements and pings are none."),
		reconnects: counter("reconnects_total", "Connections after the first one. Data of the time in between is lost."),
		connected:  gauge("connected", "Whether there is a connection."),
		awaiting:   gauge("awaiting_first_message", "Whether the subscription of the current connection has brought no data frame yet."),
		subscribed: gauge("subscribed_timestamp_seconds", "When the stream was last subscribed."),
		last:       gauge("last_message_timestamp_seconds", "When the last data frame came."),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    prefix + "lag_seconds",
			Help:    "Time from an event at the exchange to its data frame here.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}, []string{"market"}),
		tracked: make(map[[2]string]bool),
		limit:   cfg.MaxStreams,
		clock:   newClock(),
	}
	err := register(reg, "streams", s.messages, s.reconnects, s.connected, s.awaiting, s.subscribed, s.last, s.lag)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Stream tracks a stream by its market and its name, "btcusdt@kline_1m". A stream
// of one account's data is named for the account, never by its listen key.
func (s *Streams) Stream(market Market, name string) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{string(market), name}
	switch {
	case !slices.Contains(markets(), market):
		return nil, fmt.Errorf("track stream %q: Market is %q; use Spot, USDM or COINM", name, market)
	case s.tracked[key]:
		return nil, fmt.Errorf("track stream %s %q: it is tracked already; keep the tracker and share it", market, name)
	case len(s.tracked) == s.limit:
		return nil, fmt.Errorf("track stream %s %q: there are %d already; raise StreamsConfig.MaxStreams, or Remove those that are closed for good", market, name, s.limit)
	}
	s.tracked[key] = true
	return &Stream{
		streams:    s,
		key:        key,
		messages:   s.messages.WithLabelValues(key[:]...),
		reconnects: s.reconnects.WithLabelValues(key[:]...),
		connected:  s.connected.WithLabelValues(key[:]...),
		awaiting:   s.awaiting.WithLabelValues(key[:]...),
		lag:        s.lag.WithLabelValues(string(market)),
	}, nil
}

// Stream follows one stream through its connections.
type Stream struct {
	streams              *Streams
	key                  [2]string
	messages, reconnects prometheus.Counter
	connected, awaiting  prometheus.Gauge
	lag                  prometheus.Observer

	mu      sync.Mutex
	before  bool // There was a connection before.
	waiting bool
	last    prometheus.Gauge // nil until there was a message: no time is not 1970.
}

// Subscribed tells that there is a new connection on which the stream was asked
// for. It comes before the first message.
func (s *Stream) Subscribed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before {
		s.reconnects.Inc()
	}
	s.before, s.waiting = true, true
	s.connected.Set(1)
	s.awaiting.Set(1)
	s.streams.subscribed.WithLabelValues(s.key[:]...).Set(seconds(time.Now()))
}

// Message tells of a data frame and the time of its event at the exchange, the
// field E; the zero time if it has none.
func (s *Stream) Message(event time.Time) {
	now := s.streams.clock.unixNano()
	s.messages.Inc()
	if !event.IsZero() {
		s.lag.Observe(max(0, float64(now-event.UnixNano())/1e9)) // The exchange's clock may be ahead.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting {
		s.waiting = false
		s.awaiting.Set(0)
	}
	if s.last == nil {
		s.last = s.streams.last.WithLabelValues(s.key[:]...)
	}
	s.last.Set(nanoSeconds(now))
}

// Disconnected tells that the connection is gone, for whatever reason.
func (s *Stream) Disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
	s.connected.Set(0)
	s.awaiting.Set(0)
}

// Remove ends the tracker and its series, when the stream is closed for good. The
// tracker must not be used any more.
func (s *Stream) Remove() {
	t := s.streams
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tracked, s.key)
	t.messages.DeleteLabelValues(s.key[:]...)
	t.reconnects.DeleteLabelValues(s.key[:]...)
	for _, g := range []*prometheus.GaugeVec{t.connected, t.awaiting, t.subscribed, t.last} {
		g.DeleteLabelValues(s.key[:]...)
	}
}
