package instrument

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func newBinance(t testing.TB, cfg BinanceConfig) (*Binance, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	b, err := NewBinance(reg, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b, reg
}

// exchange is a server that answers as the test says and remembers what it got.
type exchange struct {
	*httptest.Server

	mu     sync.Mutex
	got    []string // method path?query body
	header http.Header
	answer func(http.ResponseWriter)
}

func newExchange(t *testing.T) *exchange {
	t.Helper()
	e := new(exchange)
	e.Server = httptest.NewUnstartedServer(e)
	e.Config.ErrorLog = discardLog()
	e.Start()
	t.Cleanup(e.Close)
	return e
}

func (e *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
	e.header = r.Header.Clone()
	if e.answer != nil {
		e.answer(w)
	}
}

func (e *exchange) requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.got...)
}

func (e *exchange) says(answer func(http.ResponseWriter)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// with answers a status, headers in pairs, and a body.
func with(status int, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header()[http.CanonicalHeaderKey(headers[i])] = []string{headers[i+1]}
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// client makes one whose connections end with the test.
func client(t *testing.T, rt http.RoundTripper) *http.Client {
	t.Helper()
	c := &http.Client{Transport: rt, Timeout: 20 * time.Second}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func ask(t *testing.T, c *http.Client, method, url, body string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestBinanceShowsWhatTheExchangeSays(t *testing.T) {
	in10s := func() string { return time.Now().UTC().Add(10 * time.Second).Format(http.TimeFormat) }
	tests := []struct {
		name   string
		path   string
		answer func(http.ResponseWriter)
		want   map[string]float64
	}{
		{
			"used weight", "/api/v3/klines?symbol=BTCUSDT",
			with(200, "[]", "X-MBX-USED-WEIGHT", "37", "X-MBX-USED-WEIGHT-1M", "37"),
			map[string]float64{
				`hedgewatch_binance_used_weight{market="spot",window="1m"}`:                    37,
				`hedgewatch_binance_responses_total{code="200",market="spot"}`:                 1,
				`hedgewatch_binance_request_duration_seconds{market="spot",priority="market"}`: 1,
			},
		},
		{
			"order counts", "/fapi/v1/order?signature=x",
			with(200, "{}", "X-MBX-ORDER-COUNT-10S", "3", "X-MBX-ORDER-COUNT-1M", "14"),
			map[string]float64{
				`hedgewatch_binance_orders_used{account="alpha",market="usdm",window="10s"}`:    3,
				`hedgewatch_binance_orders_used{account="alpha",market="usdm",window="1m"}`:     14,
				`hedgewatch_binance_responses_total{code="200",market="usdm"}`:                  1,
				`hedgewatch_binance_request_duration_seconds{market="usdm",priority="account"}`: 1,
			},
		},
		{
			"lying headers", "/dapi/v1/trades",
			with(400, "{}", "X-MBX-USED-WEIGHT-1M", "-1", "X-MBX-USED-WEIGHT-1Y", "5", "X-MBX-ORDER-COUNT-", "5", "X-MBX-ORDER-COUNT-1D", "many"),
			map[string]float64{
				`hedgewatch_binance_responses_total{code="400",market="coinm"}`:                 1,
				`hedgewatch_binance_request_duration_seconds{market="coinm",priority="market"}`: 1,
			},
		},
		{
			"the governor's own answer", "/api/v3/time",
			with(429, "{}", outcomeHeader, "shed", "Retry-After", "7"),
			map[string]float64{
				`hedgewatch_binance_responses_total{code="governor",market="spot"}`:            1,
				`hedgewatch_binance_request_duration_seconds{market="spot",priority="market"}`: 1,
			},
		},
		{
			"a status that no one knows", "/sapi/v1/system/status", with(299, "", "Date", in10s()),
			map[string]float64{
				`hedgewatch_binance_responses_total{code="other",market="sapi"}`:               1,
				`hedgewatch_binance_request_duration_seconds{market="sapi",priority="market"}`: 1,
			},
		},
		{"not the exchange's", "/metrics", with(200, ""), map[string]float64{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := newExchange(t)
			e.says(test.answer)
			b, reg := newBinance(t, BinanceConfig{Next: new(http.Transport)})
			ask(t, client(t, b.Transport("alpha")), http.MethodGet, e.URL+test.path, "")
			got := exposed(t, reg)
			maps.DeleteFunc(got, func(_ string, value float64) bool { return value == 0 })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("series above 0 (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBinanceCountersAreBornAtZero(t *testing.T) {
	b, reg := newBinance(t, BinanceConfig{Governor: "http://127.0.0.1:9091", Client: "crawler"})
	for _, series := range []string{
		`hedgewatch_binance_responses_total{code="429",market="spot"}`,
		`hedgewatch_binance_responses_total{code="418",market="usdm"}`,
		`hedgewatch_binance_responses_total{code="error",market="sapi"}`,
		`hedgewatch_binance_banned_until_timestamp_seconds{market="usdm"}`,
		`hedgewatch_binance_direct_requests_total{market="spot",outcome="refused",priority="backfill"}`,
	} {
		wantSeries(t, reg, series, 0)
	}
	wantSeries(t, reg, "hedgewatch_binance_governor_up", 1)
	wantNoSeries(t, reg, "hedgewatch_binance_used_weight") // Nobody has said yet.
	wantNoSeries(t, reg, "hedgewatch_binance_weight_limit")
	b.SetWeightLimit(USDM, 2400)
	wantSeries(t, reg, `hedgewatch_binance_weight_limit{market="usdm",window="1m"}`, 2400)
}

func TestBinanceRemembersHowLongItIsRefused(t *testing.T) {
	const minute = 60
	tests := []struct {
		name            string
		status          int
		body, after     string
		banned, backoff float64 // Seconds from now.
	}{
		{"ban with a time", 418, "", "300", 300, 0},
		{"ban with a time in the text", 418, `{"code":-1003,"msg":"Way too much request weight used; IP banned until %d. Please use WebSocket"}`, "", 1800, 0},
		{"ban without", 418, "<html>", "", 2 * minute, 0},
		{"a ban of centuries is a lie", 418, "", "9999999999", 3 * 24 * 60 * minute, 0},
		{"firewall", 403, "<html>", "", 5 * minute, 0},
		{"too much weight", 429, `{"code":-1003}`, "17", 0, 17},
		{"too much weight, until the window ends", 429, `{"code":-1003}`, "", 0, 45},
		{"too many orders of one account", 429, `{"code":-1015}`, "10", 0, 0},
		{"regional", 451, "", "60", 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(15 * time.Second) // The bubble's clock begins with a minute.
				body := test.body
				if strings.Contains(body, "%d") {
					body = fmt.Sprintf(body, time.Now().Add(30*time.Minute).UnixMilli())
				}
				header := make(http.Header)
				if test.after != "" {
					header.Set("Retry-After", test.after)
				}
				b, reg := newBinance(t, BinanceConfig{Next: canned{&http.Response{
					StatusCode: test.status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
				}}})
				resp, err := b.Transport("").RoundTrip(httptest.NewRequest(http.MethodGet, "/fapi/v1/depth", nil))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(resp.Body); err != nil || string(got) != body {
					t.Errorf("got body %q (error %v), want all of %q", got, err, body)
				}
				at := func(after float64) float64 {
					if after == 0 {
						return 0
					}
					return seconds(time.Now()) + after
				}
				wantSeries(t, reg, `hedgewatch_binance_banned_until_timestamp_seconds{market="usdm"}`, at(test.banned))
				wantSeries(t, reg, `hedgewatch_binance_backoff_until_timestamp_seconds{market="usdm"}`, at(test.backoff))
				wantSeries(t, reg, `hedgewatch_binance_banned_until_timestamp_seconds{market="spot"}`, 0)
			})
		})
	}
}

// A naive usage keeps every answer and looks through them all.
func TestUsageAgreesWithNaiveModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	type answer struct{ used, server int64 }
	for range 200 {
		var u usage
		var all []answer
		clock := int64(1_800_000_000) + random.Int64N(60)
		for range 60 {
			clock += random.Int64N(9)
			a := answer{random.Int64N(6000), clock - random.Int64N(3)} // Some are late.
			all = append(all, a)
			u.observe("1m", a.used, a.server, time.Unix(clock, 0))
			var newest, want int64
			for _, a := range all {
				newest = max(newest, a.server/60)
			}
			for _, a := range all {
				if a.server/60 == newest {
					want = max(want, a.used)
				}
			}
			// Our clock is the server's, or behind its answers, never ahead by a window.
			if newest != clock/60 {
				continue
			}
			if got := u.current("1m", time.Unix(clock, 0)); got != want {
				t.Fatalf("at %d after %v: got %d, want %d", clock, all, got, want)
			}
		}
		if got := u.current("1m", time.Unix(clock+62, 0)); got != 0 {
			t.Fatalf("got %d in a window without an answer, want 0", got)
		}
	}
}

func TestUsageFallsWithTheWindowOfTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBinance(t, BinanceConfig{})
		// The exchange's clock is 20 s ahead of ours: :50 there is :30 here.
		time.Sleep(30 * time.Second)
		say := func(used string) {
			b.Observe(BinanceAnswer{Market: Spot, Status: 200, Header: http.Header{
				"X-Mbx-Used-Weight-1m": {used},
				"Date":                 {time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)},
			}})
		}
		const used = `hedgewatch_binance_used_weight{market="spot",window="1m"}`
		say("5900")
		say("5880") // An older answer that was overtaken.
		wantSeries(t, reg, used, 5900)
		time.Sleep(9 * time.Second)
		wantSeries(t, reg, used, 5900)
		time.Sleep(time.Second)
		wantSeries(t, reg, used, 0)
		say("12")
		wantSeries(t, reg, used, 12)
	})
}

func TestBinanceBoundsItsLabels(t *testing.T) {
	b, reg := newBinance(t, BinanceConfig{MaxAccounts: 2})
	for i := 1; i <= 200; i++ {
		b.Observe(BinanceAnswer{Market: Spot, Account: fmt.Sprint(i), Status: i * 7, Header: http.Header{
			fmt.Sprintf("X-Mbx-Used-Weight-%dm", i): {"1"},
			fmt.Sprintf("X-Mbx-Order-Count-%ds", i): {"1"},
		}})
	}
	got := exposed(t, reg)
	windows, accounts := 0, make(map[string]bool)
	for series := range got {
		if strings.HasPrefix(series, "hedgewatch_binance_used_weight") {
			windows++
		}
		if labels, ok := strings.CutPrefix(series, "hedgewatch_binance_orders_used{account="); ok {
			accounts[strings.SplitN(labels, ",", 2)[0]] = true
		}
	}
	if windows == 0 || windows > maxWindows {
		t.Errorf("got %d windows, want 1 to %d", windows, maxWindows)
	}
	if want := 2 + 1; len(accounts) != want {
		t.Errorf("got %d accounts, want %d", len(accounts), want)
	}
	if got := total(t, reg, "hedgewatch_binance_responses_total"); got != 200 {
		t.Errorf("got %v responses, want 200", got)
	}
}

func TestBinanceConfigErrorsSayWhatToUse(t *testing.T) {
	tests := []struct {
		name string
		cfg  BinanceConfig
		want string
	}{
		{"no client", BinanceConfig{Governor: "http://127.0.0.1:9091"}, "name the service"},
		{"share", BinanceConfig{Governor: "http://127.0.0.1:9091", Client: "a", DirectShare: 2}, "use a share between 0 and 1"},
		{"governor", BinanceConfig{Governor: "127.0.0.1:9091", Client: "a"}, "use http://host:port"},
		{"path", BinanceConfig{Exchange: map[Market]string{Spot: "https://api.binance.com/api"}}, "has a path"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := NewBinance(prometheus.NewRegistry(), test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestRequestsAreJudgedByTheirPath(t *testing.T) {
	tests := []struct {
		method, url string
		want        Priority
	}{
		{"GET", "/api/v3/klines?symbol=BTCUSDT", MarketData},
		{"GET", "/api/v3/order?orderId=1&signature=x", Account},
		{"GET", "/fapi/v1/userTrades?signature=x", Account},
		{"POST", "/api/v3/order", Order},
		{"POST", "/api/v3/order/test", Account},
		{"POST", "/api/v3/orderList/oco", Order},
		{"POST", "/api/v3/order/cancelReplace", Order},
		{"PUT", "/fapi/v1/batchOrders", Order},
		{"DELETE", "/fapi/v1/batchOrders", Cancel},
		{"DELETE", "/fapi/v1/allOpenOrders", Cancel},
		{"POST", "/fapi/v1/countdownCancelAll", Cancel},
		{"PUT", "/fapi/v1/listenKey", Account},
	}
	for _, test := range tests {
		if got := priorities()[rank(httptest.NewRequest(test.method, test.url, nil))]; got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.method, test.url, got, test.want)
		}
	}
	r := httptest.NewRequest("GET", "/api/v3/klines", nil)
	r.Header.Set(priorityHeader, "account")
	if got := priorities()[rank(r)]; got != Account {
		t.Errorf("got %q from the header, want %q", got, Account)
	}
	r = r.WithContext(WithPriority(r.Context(), Backfill))
	if got := priorities()[rank(r)]; got != Backfill {
		t.Errorf("got %q from the context, want %q", got, Backfill)
	}
}
