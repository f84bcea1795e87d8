package exchangesim_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

const used = "X-MBX-USED-WEIGHT-1M"

// The weights are those of the documents; nothing else decides them.
func TestRequestsCostWhatTheDocumentsSay(t *testing.T) {
	tests := []struct {
		target string
		want   int
	}{
		{"/api/v3/ping", 1},
		{"/api/v3/exchangeInfo", 20},
		{"/api/v3/depth?symbol=BTCUSDT", 5},
		{"/api/v3/depth?symbol=BTCUSDT&limit=100", 5},
		{"/api/v3/depth?symbol=BTCUSDT&limit=101", 25},
		{"/api/v3/depth?symbol=BTCUSDT&limit=1000", 50},
		{"/api/v3/depth?symbol=BTCUSDT&limit=5000", 250},
		{"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000", 2},
		{"/api/v3/klines?symbol=NONE&interval=1m", 2}, // Refused ones cost as much.
		{"/api/v3/trades?symbol=BTCUSDT", 25},
		{"/api/v3/aggTrades?symbol=BTCUSDT", 4},
		{"/api/v3/ticker/24hr?symbol=BTCUSDT", 2},
		{"/api/v3/ticker/24hr", 80},
		{"/api/v3/ticker/price", 4},
		{"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=100", 1},
		{"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=500", 2},
		{"/fapi/v1/klines?symbol=BTCUSDT&interval=1m", 5},
		{"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1500", 10},
		{"/fapi/v1/depth?symbol=BTCUSDT", 1},
		{"/fapi/v1/depth?symbol=BTCUSDT&limit=50", 2},
		{"/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20},
		{"/fapi/v1/ticker/24hr", 40},
		{"/dapi/v1/time", 1},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			s := newSim(t)
			w := s.do(http.MethodGet, tt.target)
			if got := w.Header().Get(used); got != strconv.Itoa(tt.want) {
				t.Errorf("got used weight %q, want %d", got, tt.want)
			}
		})
	}
}

func TestWindowsBeginWithTheMinute(t *testing.T) {
	s := newSim(t)
	for range 240 {
		s.do(http.MethodGet, "/api/v3/trades?symbol=BTCUSDT&limit=1")
	}
	w := s.do(http.MethodGet, "/api/v3/time")
	refused(t, w, http.StatusTooManyRequests, -1003)
	if got := w.Header().Get("Retry-After"); got != "40" {
		t.Errorf("got Retry-After %q at second 20, want 40", got)
	}
	s.clock.add(40 * time.Second)
	if w := s.do(http.MethodGet, "/api/v3/time"); w.Code != http.StatusOK || w.Header().Get(used) != "1" {
		t.Errorf("got %d with used weight %s in the next minute, want 200 with 1", w.Code, w.Header().Get(used))
	}
}

func TestAddressesAndMarketsCountApart(t *testing.T) {
	s := newSim(t)
	s.do(http.MethodGet, "/api/v3/exchangeInfo", "X-Exchangesim-Address", "a")
	for target, want := range map[string]string{"/api/v3/time": "1", "/fapi/v1/time": "1"} {
		if got := s.do(http.MethodGet, target, "X-Exchangesim-Address", "b").Header().Get(used); got != want {
			t.Errorf("%s: got %s used by another address, want %s", target, got, want)
		}
	}
	if got := s.do(http.MethodGet, "/api/v3/time", "X-Exchangesim-Address", "a").Header().Get(used); got != "21" {
		t.Errorf("got %s used, want 21", got)
	}
}

// Who goes on after 429 is banned, each time for longer, up to three days.
func TestBansGrow(t *testing.T) {
	s := newSim(t)
	var bans []string
	for range 6 {
		w := s.do(http.MethodGet, "/api/v3/time")
		for i := 0; w.Code != http.StatusTeapot; i++ {
			if i > 1000 {
				t.Fatalf("got no ban after %d requests", i)
			}
			w = s.do(http.MethodGet, "/api/v3/depth?symbol=BTCUSDT&limit=5000")
		}
		refused(t, w, http.StatusTeapot, -1003)
		if !strings.Contains(w.Body.String(), "IP banned until ") {
			t.Errorf("got %s, want until when", w.Body)
		}
		seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		bans = append(bans, (time.Duration(seconds) * time.Second).String())
		s.clock.add(time.Duration(seconds-1) * time.Second)
		if w := s.do(http.MethodGet, "/api/v3/time"); w.Code != http.StatusTeapot {
			t.Errorf("got %d before the ban ends, want 418", w.Code)
		}
		s.clock.add(time.Second)
	}
	if got, want := fmt.Sprint(bans), "[2m0s 8m0s 32m0s 2h8m0s 8h32m0s 34h8m0s]"; got != want {
		t.Errorf("got bans of %s, want %s", got, want)
	}
}

// What is counted is compared with a model that knows nothing but a map.
func TestWindowsAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := newSim(t, func(c *exchangesim.Config) { c.Strikes = 1 << 30 })
	model := make(map[int64]int)
	targets := map[string]int{"/api/v3/time": 1, "/api/v3/exchangeInfo": 20, "/api/v3/depth?limit=5000": 250, "/api/v3/trades": 25}
	for range 5000 {
		for target, weight := range targets {
			if random.IntN(4) > 0 {
				continue
			}
			minute := s.Now().Unix() / 60
			model[minute] += weight
			w := s.do(http.MethodGet, target)
			if got := w.Header().Get(used); got != strconv.Itoa(model[minute]) {
				t.Fatalf("got %s used, want %d", got, model[minute])
			}
			if limited := w.Code == http.StatusTooManyRequests; limited != (model[minute] > 6000) {
				t.Fatalf("got %d with %d used", w.Code, model[minute])
			}
		}
		s.clock.add(time.Duration(random.IntN(2000)) * time.Millisecond)
	}
}

func TestFirewall(t *testing.T) {
	s := newSim(t, func(c *exchangesim.Config) { c.Burst = 100 })
	if w := s.do(http.MethodGet, "/api/v3/klines?symbol=1+union+select+2"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<html>") {
		t.Errorf("got %d %s for an attack, want 403 in HTML", w.Code, w.Body)
	}
	s.clock.add(5 * time.Minute)
	for i := range 101 {
		w := s.do(http.MethodGet, "/api/v3/ping")
		if want := map[bool]int{true: 403, false: 200}[i >= 100]; w.Code != want {
			t.Fatalf("request %d of a second: got %d, want %d", i, w.Code, want)
		}
	}
}

func TestSignedRequests(t *testing.T) {
	s := newSim(t)
	at := func(d time.Duration) string { return fmt.Sprint(s.Now().Add(d).UnixMilli()) }
	if w := s.signed(http.MethodGet, "/api/v3/account"); w.Code != http.StatusOK {
		t.Errorf("got %d %s, want 200", w.Code, w.Body)
	}
	refused(t, s.signed(http.MethodGet, "/api/v3/account", "timestamp", at(time.Second)), 400, -1021)
	refused(t, s.signed(http.MethodGet, "/api/v3/account", "timestamp", at(-5001*time.Millisecond)), 400, -1021)
	if w := s.signed(http.MethodGet, "/api/v3/account", "timestamp", at(-59*time.Second), "recvWindow", "60000"); w.Code != http.StatusOK {
		t.Errorf("got %d %s inside of recvWindow, want 200", w.Code, w.Body)
	}
	refused(t, s.signed(http.MethodGet, "/api/v3/account", "recvWindow", "60001"), 400, -1131)
	a := s.Accounts()[0]
	refused(t, s.do(http.MethodGet, "/api/v3/account?timestamp="+at(0)+"&signature=00", "X-MBX-APIKEY", a.Key), 400, -1022)
	refused(t, s.do(http.MethodGet, "/api/v3/account?timestamp="+at(0), "X-MBX-APIKEY", a.Key), 400, -1102)
	refused(t, s.do(http.MethodGet, "/api/v3/account", "X-MBX-APIKEY", "wrong"), 401, -2015)
	refused(t, s.do(http.MethodGet, "/api/v3/account"), 401, -2014)
}

// Accepted orders of spot cost nothing, refused ones do, and all count as unfilled.
func TestOrdersCount(t *testing.T) {
	s := newSim(t, func(c *exchangesim.Config) {
		c.Limits = exchangesim.DefaultLimits()
		for i, l := range c.Limits[binance.Spot] {
			if l.Type == binance.Orders && l.Window == 10*time.Second {
				c.Limits[binance.Spot][i].Count = 3
			}
		}
	})
	place := func() (int, string) {
		w := s.signed(http.MethodPost, "/api/v3/order", "symbol", "BTCUSDT", "side", "BUY", "type", "LIMIT", "timeInForce", "GTC", "quantity", "0.01", "price", "1000")
		return w.Code, w.Header().Get(used) + " " + w.Header().Get("X-MBX-ORDER-COUNT-10S") + " " + w.Header().Get("X-MBX-ORDER-COUNT-1D")
	}
	for i, want := range []string{"0 1 1", "0 2 2", "0 3 3"} {
		if code, got := place(); code != http.StatusOK || got != want {
			t.Errorf("order %d: got %d with %s, want 200 with %s", i, code, got, want)
		}
	}
	if code, got := place(); code != http.StatusTooManyRequests || got != "1  " {
		t.Errorf("got %d with %s beyond the limit, want 429 with weight 1", code, got)
	}
	s.clock.add(10 * time.Second)
	if code, got := place(); code != http.StatusOK || got != "1 1 4" {
		t.Errorf("got %d with %s in the next window, want 200 with 1 1 4", code, got)
	}
}

// Withdrawals count by account, whatever address asks, and 18,000 of 180,000 each.
func TestWalletLimitsOfAnAccountHoldForAllAddresses(t *testing.T) {
	s := newSim(t, func(c *exchangesim.Config) { c.Accounts = []exchangesim.Account{{Name: "a"}, {Name: "b"}} })
	ask := func(account int, address string) *httptest.ResponseRecorder {
		a := s.Accounts()[account]
		query := fmt.Sprintf("timestamp=%d", s.Now().UnixMilli())
		return s.do(http.MethodGet, "/sapi/v1/capital/withdraw/history?"+query+"&signature="+exchangesim.Sign(a.Secret, query),
			"X-MBX-APIKEY", a.Key, "X-Exchangesim-Address", address)
	}
	for i := range 10 {
		w := ask(0, fmt.Sprint("192.0.2.", i))
		if got, want := w.Header().Get("X-SAPI-USED-UID-WEIGHT-1M"), strconv.Itoa(18_000*(i+1)); w.Code != http.StatusOK || got != want {
			t.Fatalf("request %d: got %d with used weight %q, want 200 with %s", i, w.Code, got, want)
		}
	}
	refused(t, ask(0, "192.0.2.99"), http.StatusTooManyRequests, -1003)
	if w := ask(1, "192.0.2.1"); w.Code != http.StatusOK {
		t.Errorf("got %d for another account, want 200", w.Code)
	}
	s.clock.add(time.Minute)
	if w := ask(0, "192.0.2.1"); w.Code != http.StatusOK {
		t.Errorf("got %d in the next window, want 200", w.Code)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		fault  exchangesim.Fault
		status int
	}{
		{exchangesim.Fault{Kind: exchangesim.Storm, For: 60}, 429},
		{exchangesim.Fault{Kind: exchangesim.Region, For: 60}, 451},
		{exchangesim.Fault{Kind: exchangesim.Unavailable, For: 60}, 503},
		{exchangesim.Fault{Kind: exchangesim.Lost, For: 60}, 504},
		{exchangesim.Fault{Kind: exchangesim.Ban, Address: "192.0.2.1", For: 60}, 418},
		{exchangesim.Fault{Kind: exchangesim.Unavailable, Market: binance.USDM}, 200},
		{exchangesim.Fault{Kind: exchangesim.Unavailable, Address: "other"}, 200},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.fault), func(t *testing.T) {
			s := newSim(t)
			if err := s.Inject(tt.fault); err != nil {
				t.Fatal(err)
			}
			if w := s.do(http.MethodGet, "/api/v3/time"); w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			s.clock.add(time.Minute)
			if w := s.do(http.MethodGet, "/api/v3/time"); w.Code != http.StatusOK {
				t.Errorf("got %d when it is over, want 200", w.Code)
			}
		})
	}
}

func TestSkewMovesTheExchangesClock(t *testing.T) {
	s := newSim(t)
	before := s.Now()
	if err := s.Inject(exchangesim.Fault{Kind: exchangesim.Skew, Amount: -1.3}); err != nil {
		t.Fatal(err)
	}
	if got := s.Now().Sub(before); got != -1300*time.Millisecond {
		t.Errorf("got a step of %v, want -1.3s", got)
	}
}

func TestAdminRefusesWhatItDoesNotKnow(t *testing.T) {
	s := newSim(t)
	for body, want := range map[string]int{
		`{"kind":"storm","for":1}`: 204, `{"kind":"flood"}`: 400, `{"kind":"storm","four":1}`: 400, `{"kind":"delist"}`: 400,
		`{"kind":"halt","symbol":"NONE"}`: 400, `{"kind":"ban"}`: 400,
	} {
		if got := s.post("/sim/faults", body); got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
	status := get[exchangesim.Status](s, "/sim/status")
	if len(status.Faults) != 1 || status.Faults[0].Kind != exchangesim.Storm {
		t.Errorf("got faults %v, want the storm", status.Faults)
	}
}
