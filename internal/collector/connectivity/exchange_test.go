package connectivity_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/collector/connectivity"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// setup is a collector in front of a simulated exchange.
type setup struct {
	*testing.T
	exchange  *exchangesim.Exchange
	reg       *prometheus.Registry
	collector *connectivity.Collector

	mu      sync.Mutex
	changes []connectivity.Change
}

func start(t *testing.T, change ...func(*connectivity.Config)) *setup {
	t.Helper()
	e := exchangesim.New(exchangesim.Config{Seed: 1, Burst: 1 << 20})
	server := httptest.NewServer(e.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(e.Close)
	cfg := connectivity.DefaultConfig()
	cfg.ClockInterval, cfg.InfoInterval = model.Duration(time.Second), model.Duration(time.Second)
	cfg.Symbols = map[binance.Market][]string{binance.Spot: {"BTCUSDT", "NONESUCH"}}
	cfg.Streams = map[binance.Market][]string{
		binance.Spot: {"btcusdt@bookTicker", "nonesuch@trade"},
		binance.USDM: {"btcusdt@markPrice@1s", "btcusdt@depth@100ms"},
	}
	cfg.URLs = map[binance.Market]string{binance.Spot: server.URL, binance.USDM: server.URL}
	cfg.StreamURLs = map[binance.Market]string{binance.Spot: server.URL + "/spot", binance.USDM: server.URL + "/usdm"}
	for _, c := range change {
		c(&cfg)
	}
	s := &setup{T: t, exchange: e, reg: prometheus.NewRegistry()}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var err error
	s.collector, err = connectivity.New(cfg, connectivity.Deps{
		Logger: slog.New(slog.DiscardHandler), Transport: transport, Dial: &http.Client{Transport: transport},
		Changed: func(_ context.Context, found []connectivity.Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changes = append(s.changes, found...)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.reg.MustRegister(s.collector)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.collector.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// value is that of a series, false if there is none.
func (s *setup) value(series string) (float64, bool) {
	s.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			if "hedgewatch_binance_"+series == f.GetName()+"{"+strings.Join(labels, ",")+"}" {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
			}
		}
	}
	return 0, false
}

// await waits until a series is as wanted.
func (s *setup) await(series string, want func(float64) bool) {
	s.Helper()
	var v float64
	var ok bool
	for range 200 {
		if v, ok = s.value(series); ok && want(v) {
			return
		}
		time.Sleep(50 * time.Millisecond) // The exchange and its network are real.
	}
	s.Errorf("%s: got %v (there: %t) after 10s", series, v, ok)
}

func is(want float64) func(float64) bool { return func(v float64) bool { return v == want } }

func TestClockOffset(t *testing.T) {
	s := start(t)
	about := func(want float64) func(float64) bool {
		return func(v float64) bool { return math.Abs(v-want) < 0.1 }
	}
	s.await(`clock_offset_seconds{market="spot"}`, about(0))
	if err := s.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Skew, Amount: -1.3}); err != nil {
		t.Fatal(err)
	}
	s.await(`clock_offset_seconds{market="spot"}`, about(-1.3))
	s.await(`clock_offset_seconds{market="usdm"}`, about(-1.3))
	if v, ok := s.value(`clock_error_seconds{market="spot"}`); !ok || v <= 0 || v > 0.1 {
		t.Errorf("got an error of %v, want half a round trip", v)
	}
}

func TestRESTFails(t *testing.T) {
	s := start(t)
	s.await(`probe_success{market="usdm",probe="time"}`, is(1))
	if err := s.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Unavailable, Market: binance.USDM}); err != nil {
		t.Fatal(err)
	}
	s.await(`probe_success{market="usdm",probe="time"}`, is(0))
	s.await(`probe_failures_total{market="usdm",probe="time"}`, func(v float64) bool { return v > 0 })
	s.await(`probe_success{market="spot",probe="time"}`, is(1))
	s.exchange.Clear("")
	s.await(`probe_success{market="usdm",probe="time"}`, is(1))
}

func TestSystemStatusAndHalt(t *testing.T) {
	s := start(t)
	s.await(`maintenance{market="spot"}`, is(0))
	s.await(`symbol_trading{market="spot",status="TRADING",symbol="BTCUSDT"}`, is(1))
	s.await(`symbol_trading{market="spot",status="missing",symbol="NONESUCH"}`, is(0))
	if err := s.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Halt, Market: binance.Spot, Symbol: "BTCUSDT"}); err != nil {
		t.Fatal(err)
	}
	s.await(`symbol_trading{market="spot",status="HALT",symbol="BTCUSDT"}`, is(0))
	s.await(`info_changes_total{change="status",market="spot"}`, is(1))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changes) != 1 || s.changes[0] != (connectivity.Change{Market: binance.Spot, Kind: "status", What: "BTCUSDT", From: "TRADING", To: "HALT"}) {
		t.Errorf("got changes %v", s.changes)
	}
}

// A stream is judged by its data: one that the exchange acknowledges and does not
// know stays awaited.
func TestStreams(t *testing.T) {
	s := start(t)
	for _, series := range []string{
		`stream_messages_total{market="spot",stream="btcusdt@bookTicker"}`,
		`stream_messages_total{market="usdm",stream="btcusdt@depth@100ms"}`,
		`stream_messages_total{market="usdm",stream="btcusdt@markPrice@1s"}`,
	} {
		s.await(series, func(v float64) bool { return v > 0 })
	}
	s.await(`stream_connected{market="spot",stream="nonesuch@trade"}`, is(1))
	s.await(`stream_awaiting_first_message{market="spot",stream="nonesuch@trade"}`, is(1))
	if _, ok := s.value(`stream_last_message_timestamp_seconds{market="spot",stream="nonesuch@trade"}`); ok {
		t.Error("a stream without data has a time of its last frame")
	}
	s.await(`stream_awaiting_first_message{market="usdm",stream="btcusdt@depth@100ms"}`, is(0))
	s.await(`stream_reconnects_total{market="usdm",stream="btcusdt@depth@100ms"}`, is(0))
	s.await(`stream_silent_after_seconds{market="usdm",stream="btcusdt@depth@100ms"}`, is(15))

	if err := s.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Drop, Market: binance.USDM}); err != nil {
		t.Fatal(err)
	}
	s.await(`stream_reconnects_total{market="usdm",stream="btcusdt@depth@100ms"}`, is(1))
	s.await(`stream_awaiting_first_message{market="usdm",stream="btcusdt@depth@100ms"}`, is(0))

	if err := s.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Silence, Market: binance.USDM}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // What was on its way.
	const series = `stream_last_message_timestamp_seconds{market="usdm",stream="btcusdt@depth@100ms"}`
	before, _ := s.value(series)
	time.Sleep(500 * time.Millisecond)
	if after, ok := s.value(series); !ok || after != before {
		t.Errorf("got a last frame at %v while the stream is silent, want %v", after, before)
	}
	s.await(`stream_connected{market="usdm",stream="btcusdt@depth@100ms"}`, is(1))
}

func TestMetricsAreWellNamed(t *testing.T) {
	s := start(t)
	s.await(`stream_messages_total{market="spot",stream="btcusdt@bookTicker"}`, func(v float64) bool { return v > 0 })
	problems, err := testutil.GatherAndLint(s.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestReload(t *testing.T) {
	s := start(t)
	s.await(`clock_offset_seconds{market="spot"}`, func(float64) bool { return true })
	bad := connectivity.DefaultConfig()
	bad.ClockInterval = -1
	if _, err := s.collector.Prepare(bad); err == nil {
		t.Error("a bad configuration is taken")
	}
	commit, err := s.collector.Prepare(connectivity.Config{})
	if err != nil {
		t.Fatal(err)
	}
	commit()
	for range 100 {
		if _, ok := s.value(`clock_offset_seconds{market="spot"}`); !ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("it goes on measuring without the section")
}
