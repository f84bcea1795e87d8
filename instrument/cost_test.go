package instrument

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A hotPath is a call that a service makes for each request, row or message. One
// table serves the benchmarks and the promise of no allocations.
type hotPath struct {
	name string
	// prepare returns the call, with all that it needs built.
	prepare func(testing.TB) func()
}

func hotPaths() []hotPath {
	return []hotPath{
		{"HTTPServer", func(t testing.TB) func() {
			s, err := NewHTTPServer(prometheus.NewRegistry(), HTTPServerConfig{})
			if err != nil {
				t.Fatal(err)
			}
			h := s.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			r.Pattern = "GET /orders/{id}" // As the ServeMux underneath sets it.
			w := http1Writer{}
			return func() { h.ServeHTTP(w, r) }
		}},
		{"HTTPClient", func(t testing.TB) func() {
			c, err := NewHTTPClient(prometheus.NewRegistry(), HTTPClientConfig{})
			if err != nil {
				t.Fatal(err)
			}
			rt := c.Transport("ledger", canned{&http.Response{StatusCode: http.StatusOK}})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			return func() { _, _ = rt.RoundTrip(r) }
		}},
		{"Binance", func(t testing.TB) func() {
			resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{
				"Date": {time.Now().UTC().Format(http.TimeFormat)}, "X-Mbx-Used-Weight": {"42"}, "X-Mbx-Used-Weight-1m": {"42"},
				"Content-Type": {"application/json"}, "Content-Length": {"2"}, "Connection": {"keep-alive"}, "Server": {"nginx"},
				"X-Mbx-Uuid": {"5a1f"}, "Strict-Transport-Security": {"max-age=31536000"}, "X-Frame-Options": {"SAMEORIGIN"},
				"Cache-Control": {"no-cache"}, "Access-Control-Allow-Origin": {"*"}, "Via": {"1.1"}, "X-Cache": {"Miss"},
			}}
			b, _ := newBinance(t, BinanceConfig{Next: canned{resp}})
			rt := b.Transport("alpha")
			r := httptest.NewRequest(http.MethodGet, "/fapi/v1/userTrades?symbol=BTCUSDT&timestamp=1794304800000&signature=0", nil)
			return func() { _, _ = rt.RoundTrip(r) }
		}},
		{"Kline", func(t testing.TB) func() {
			s, _ := newSync(t, SyncConfig{})
			k, err := s.Kline(Dataset{Market: USDM, Symbol: "BTCUSDT", Interval: "1m"})
			if err != nil {
				t.Fatal(err)
			}
			open := time.Now().Truncate(time.Minute)
			return func() { open = open.Add(time.Minute); k.Stored(open) }
		}},
		{"Trade", func(t testing.TB) func() {
			s, _ := newSync(t, SyncConfig{})
			trade, err := s.Trade(Dataset{Market: USDM, Symbol: "BTCUSDT"})
			if err != nil {
				t.Fatal(err)
			}
			id, at := int64(0), time.Now()
			return func() { id++; trade.Stored(id, at) }
		}},
		{"UserTrade", func(t testing.TB) func() {
			s, _ := newSync(t, SyncConfig{})
			fill, err := s.UserTrade(Dataset{Market: USDM, Account: "alpha", Symbol: "BTCUSDT"})
			if err != nil {
				t.Fatal(err)
			}
			id, at := int64(0), time.Now()
			for range 4 * remembered { // Its memory has grown to its bound.
				id++
				fill.Stored(id, at)
			}
			return func() { id += 3; fill.Stored(id, at) }
		}},
		{"Stream", func(t testing.TB) func() {
			streams, err := NewStreams(prometheus.NewRegistry(), StreamsConfig{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := streams.Stream(USDM, "btcusdt@kline_1m")
			if err != nil {
				t.Fatal(err)
			}
			s.Subscribed()
			at := time.Now()
			return func() { s.Message(at) }
		}},
		{"Heartbeat", func(t testing.TB) func() {
			jobs, err := NewJobs(prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			j, err := jobs.Job("reconcile", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return j.Heartbeat
		}},
		{"Income", func(t testing.TB) func() {
			s, _ := newSync(t, SyncConfig{})
			income, err := s.Income(Dataset{Market: USDM, Account: "alpha"})
			if err != nil {
				t.Fatal(err)
			}
			id, at := int64(0), time.Now()
			for range 4 * remembered {
				id++
				income.Stored("COMMISSION", id, at)
			}
			return func() { id += 3; income.Stored("COMMISSION", id, at) }
		}},
	}
}

// canned is a transport that costs nothing, so that only ours is measured.
type canned struct{ resp *http.Response }

func (c canned) RoundTrip(*http.Request) (*http.Response, error) { return c.resp, nil }

func TestHotPathsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for _, path := range hotPaths() {
		t.Run(path.name, func(t *testing.T) {
			call := path.prepare(t)
			if got := testing.AllocsPerRun(2000, call); got != 0 {
				t.Errorf("got %v allocations for each call, want 0", got)
			}
		})
	}
}

func BenchmarkHotPath(b *testing.B) {
	for _, path := range hotPaths() {
		b.Run(path.name, func(b *testing.B) {
			call := path.prepare(b)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
