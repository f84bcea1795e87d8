package instrument

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// downURL is an address at which nobody listens.
func downURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func exchangeAt(url string) map[Market]string {
	return map[Market]string{Spot: url, USDM: url, COINM: url, SAPI: url}
}

func TestRequestsGoThroughTheGovernorUnchanged(t *testing.T) {
	e, g := newExchange(t), newExchange(t)
	b, reg := newBinance(t, BinanceConfig{Client: "router", Token: "t0", Governor: g.URL, Exchange: exchangeAt(e.URL), Next: new(http.Transport)})
	c := client(t, b.Transport("alpha"))
	const signed = "symbol=BTCUSDT&side=BUY&quantity=0.10&timestamp=1&signature=a%2Bb"
	ask(t, c, http.MethodPost, "https://fapi.binance.com/fapi/v1/order?"+signed, "quantity=0.10&z=%20")
	if diff := cmp.Diff([]string{"POST /fapi/v1/order?" + signed + " quantity=0.10&z=%20"}, g.requests()); diff != "" {
		t.Errorf("the governor got (-want +got):\n%s", diff)
	}
	if got := e.requests(); len(got) != 0 {
		t.Errorf("the exchange got %q, want nothing", got)
	}
	for name, want := range map[string]string{clientHeader: "router", priorityHeader: "order", "Authorization": "Bearer t0"} {
		if got := g.header.Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	wantSeries(t, reg, "hedgewatch_binance_governor_up", 1)
}

func TestRequestsGoDirectWhileTheGovernorIsDown(t *testing.T) {
	e := newExchange(t)
	var logged bytes.Buffer
	b, reg := newBinance(t, BinanceConfig{
		Client: "router", Token: "t0", Governor: downURL(t), Exchange: exchangeAt(e.URL), Next: new(http.Transport),
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	c := client(t, b.Transport("alpha"))
	// The base URL is the governor's, as a service without this library would have it.
	base := b.governor.base.String()
	ask(t, c, http.MethodPost, base+"/fapi/v1/order?signature=x", "quantity=1")
	ask(t, c, http.MethodPost, base+"/fapi/v1/order?signature=y", "quantity=2")

	// A body that can be read only once arrives whole as well.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v3/order", io.MultiReader(strings.NewReader("once")))
	if err != nil {
		t.Fatal(err)
	}
	b.governor.lastTry = time.Time{} // Long ago: the governor is tried, and takes the body.
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	want := []string{
		"POST /fapi/v1/order?signature=x quantity=1",
		"POST /fapi/v1/order?signature=y quantity=2",
		"POST /api/v3/order once",
	}
	if diff := cmp.Diff(want, e.requests()); diff != "" {
		t.Errorf("the exchange got (-want +got):\n%s", diff)
	}
	for _, name := range []string{clientHeader, priorityHeader, "Authorization"} {
		if got := e.header.Get(name); got != "" {
			t.Errorf("the exchange got %s %q, want it kept from the exchange", name, got)
		}
	}
	wantSeries(t, reg, "hedgewatch_binance_governor_up", 0)
	wantSeries(t, reg, `hedgewatch_binance_direct_requests_total{market="usdm",outcome="sent",priority="order"}`, 2)
	if got := strings.Count(logged.String(), "Governor is down"); got != 1 {
		t.Errorf("got %d lines in the log, want one for the change of state:\n%s", got, logged.String())
	}
}

func TestGovernorIsUsedAgainWhenItIsBack(t *testing.T) {
	e, g := newExchange(t), newExchange(t)
	address := g.Listener.Addr().String()
	b, reg := newBinance(t, BinanceConfig{Client: "crawler", Governor: g.URL, Exchange: exchangeAt(e.URL), Next: new(http.Transport)})
	c := client(t, b.Transport(""))
	get := func() { ask(t, c, http.MethodGet, e.URL+"/api/v3/time", "") }
	get()
	g.Close()
	c.CloseIdleConnections()
	get()
	wantSeries(t, reg, "hedgewatch_binance_governor_up", 0)

	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	back := &exchange{}
	back.Server = &httptest.Server{Listener: l, Config: &http.Server{Handler: back}}
	back.Start()
	t.Cleanup(back.Close)
	get() // Too early for another try.
	b.governor.lastTry = time.Now().Add(-2 * retryOthers)
	get()
	wantSeries(t, reg, "hedgewatch_binance_governor_up", 1)
	if e, g := len(e.requests()), len(back.requests()); e != 2 || g != 1 {
		t.Errorf("the exchange got %d requests and the governor that is back %d, want 2 and 1", e, g)
	}
}

func TestTriesOfTheGovernorSpareOrders(t *testing.T) {
	start := time.Now()
	tests := []struct {
		name   string
		urgent bool
		after  time.Duration
		want   bool
	}{
		{"reading at once", false, 0, false},
		{"reading later", false, retryOthers, true},
		{"order later", true, retryOthers, false},
		{"order much later", true, retryUrgent, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := &governor{down: true, lastTry: start}
			if got := g.worthTrying(test.urgent, start.Add(test.after)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if test.want && g.worthTrying(test.urgent, start.Add(test.after)) {
				t.Error("a second request tries at the same time, want one")
			}
		})
	}
}

// An order whose fate is unknown is the service's to ask about. To send it again
// could buy twice.
func TestOrderIsSentOnceWhenTheGovernorBreaks(t *testing.T) {
	e := newExchange(t)
	g := newExchange(t)
	g.says(func(w http.ResponseWriter) { hijack(w, nil) })
	b, _ := newBinance(t, BinanceConfig{Client: "router", Governor: g.URL, Exchange: exchangeAt(e.URL), Next: new(http.Transport)})
	c := client(t, b.Transport("alpha"))
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		r, err := http.NewRequestWithContext(t.Context(), method, e.URL+"/api/v3/order", strings.NewReader("quantity=1"))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := c.Do(r); err == nil {
			resp.Body.Close()
			t.Errorf("%s: got status %d, want the error", method, resp.StatusCode)
		}
	}
	if got := e.requests(); len(got) != 0 {
		t.Errorf("the exchange got %q, want nothing", got)
	}
	// A reading is harmless.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL+"/api/v3/time", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if diff := cmp.Diff([]string{"GET /api/v3/time"}, e.requests()); diff != "" {
		t.Errorf("the exchange got (-want +got):\n%s", diff)
	}
}

func TestShareOfTheLimitIsKeptWhileTheGovernorIsDown(t *testing.T) {
	e := newExchange(t)
	b, reg := newBinance(t, BinanceConfig{Client: "crawler", Governor: downURL(t), Exchange: exchangeAt(e.URL), Next: new(http.Transport), DirectShare: 0.05})
	b.SetWeightLimit(USDM, 2400) // 120 weight: twelve pages of klines at 10.
	c := client(t, b.Transport("alpha"))
	minute := time.Now().Truncate(time.Minute)
	sent := 0
	for range 20 {
		status, body, header := ask(t, c, http.MethodGet, e.URL+"/fapi/v1/klines?limit=1500", "")
		if status == http.StatusOK {
			sent++
			continue
		}
		if status != http.StatusTooManyRequests || header.Get("Retry-After") == "" || !strings.Contains(body, `"code":-1003`) {
			t.Fatalf("got %d %q with %v, want 429 in the exchange's form and Retry-After", status, body, header)
		}
	}
	if !time.Now().Truncate(time.Minute).Equal(minute) {
		t.Skip("a minute began in between, and with it a second budget")
	}
	if sent != 12 || len(e.requests()) != 12 {
		t.Errorf("got %d pages sent and %d received, want 12", sent, len(e.requests()))
	}
	wantSeries(t, reg, `hedgewatch_binance_direct_requests_total{market="usdm",outcome="refused",priority="market"}`, 8)
	wantSeries(t, reg, `hedgewatch_binance_responses_total{code="429",market="usdm"}`, 0) // Not the exchange's.
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		if status, _, _ := ask(t, c, method, e.URL+"/fapi/v1/order", ""); status != http.StatusOK {
			t.Errorf("%s order: got %d, want it sent whatever was spent", method, status)
		}
	}
}

func TestRefusalsWhileTheGovernorIsDown(t *testing.T) {
	tests := []struct {
		name          string
		state         func(*Binance)
		order, market int
	}{
		{"all is well", func(*Binance) {}, 0, 0},
		{"the address nears its limit", func(b *Binance) {
			b.Observe(BinanceAnswer{Market: Spot, Status: 200, Header: http.Header{"X-Mbx-Used-Weight-1m": {"4800"}}})
		}, 0, 429},
		{"asked to wait", func(b *Binance) {
			b.Observe(BinanceAnswer{Market: Spot, Status: 429, Header: http.Header{"Retry-After": {"3"}}})
		}, 0, 429},
		{"banned", func(b *Binance) {
			b.Observe(BinanceAnswer{Market: Spot, Status: 418, Header: http.Header{"Retry-After": {"3"}}})
		}, 418, 418},
		{"another market is banned", func(b *Binance) {
			b.Observe(BinanceAnswer{Market: USDM, Status: 418, Header: http.Header{"Retry-After": {"3"}}})
		}, 0, 0},
		{"banned, and it is over", func(b *Binance) {
			b.Observe(BinanceAnswer{Market: Spot, Status: 418, Header: http.Header{"Retry-After": {"3"}}})
			time.Sleep(3 * time.Second)
		}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := newBinance(t, BinanceConfig{Client: "crawler", Governor: "http://127.0.0.1:9091"})
				test.state(b)
				m := b.market(Spot)
				if got, _ := m.refusal(0, true, time.Now()); got != test.order {
					t.Errorf("order: got %d, want %d", got, test.order)
				}
				if got, _ := m.refusal(2, false, time.Now()); got != test.market {
					t.Errorf("market data: got %d, want %d", got, test.market)
				}
			})
		})
	}
}

func TestWeightTableIsWhole(t *testing.T) {
	weights, err := parseWeights(weightTable)
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]int64{"GET /api/v3/depth": 250, "GET /api/v3/klines": 2, "GET /fapi/v1/klines": 10, "GET /fapi/v1/income": 30} {
		if got := weights[request]; got != want {
			t.Errorf("%s: got %d, want %d", request, got, want)
		}
	}
	for _, bad := range []string{"spot GET /x", "spot GET /x ten"} {
		if _, err := parseWeights(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("got error %v for %q, want one that quotes it", err, bad)
		}
	}
}
