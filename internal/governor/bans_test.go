package governor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

func TestRefusalsStopWhatTheyMust(t *testing.T) {
	const limited = `{"code":-1003,"msg":"Too much request weight used"}`
	tests := []struct {
		name         string
		status       int
		header, body string
		// The answers to a reading, an order and a cancel afterwards: 200 is
		// the exchange's own, everything else ours.
		reading, order, cancel int
		event                  string
	}{
		{"429", 429, "30", limited, 429, 429, 429, ""},
		{"orders of an account", 429, "5", `{"code":-1015,"msg":"Too many new orders"}`, 200, 429, 200, ""},
		{"418", 418, "120", limited, 418, 418, 418, "banned"},
		{"418 of futures", 418, "", fmt.Sprintf(`{"code":-1003,"msg":"IP banned until %d."}`, time.Now().Add(time.Hour).UnixMilli()), 418, 418, 418, "banned"},
		{"firewall", 403, "", "<html><body>403 Forbidden</body></html>", 418, 418, 418, "firewall"},
		{"region", 451, "", `{"code":0,"msg":"restricted location"}`, 418, 418, 418, "region"},
		{"overloaded", 503, "", `{"code":-1008,"msg":"throttled"}`, 429, 200, 200, ""},
		{"unavailable", 503, "", "Service Unavailable", 200, 200, 200, ""},
		{"unknown", 500, "", `{"code":-1006,"msg":"x"}`, 200, 200, 200, ""},
		{"clock", 400, "", `{"code":-1021,"msg":"x"}`, 200, 200, 200, ""},
		{"bad symbol", 400, "", `{"code":-1121,"msg":"Invalid symbol."}`, 200, 200, 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var first atomic.Bool
			p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) {
				if first.CompareAndSwap(false, true) {
					if test.header != "" {
						w.Header().Set("Retry-After", test.header)
					}
					w.WriteHeader(test.status)
					fmt.Fprint(w, test.body)
				}
			}), func(c *Config) { c.Queue.Timeout = 0 })
			resp, body := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "", "X-MBX-APIKEY", "a")
			expect(t, resp, test.status, "")
			if body != test.body {
				t.Errorf("got %q, want the exchange's own %q", body, test.body)
			}
			for _, next := range []struct {
				method, target string
				want           int
			}{
				{http.MethodGet, "/api/v3/klines?n=1", test.reading},
				{http.MethodPost, "/api/v3/order?signature=x", test.order},
				{http.MethodDelete, "/api/v3/order?signature=x", test.cancel},
			} {
				resp, _ := p.do(t, next.method, next.target, "", "X-MBX-APIKEY", "a")
				if resp.StatusCode != next.want {
					t.Errorf("%s %s: got %d, want %d", next.method, next.target, resp.StatusCode, next.want)
				}
				if local := resp.Header.Get(outcomeHeader) != ""; local != (next.want != 200) || local && resp.Header.Get("Retry-After") == "" {
					t.Errorf("%s: outcome %q, Retry-After %q", next.method, resp.Header.Get(outcomeHeader), resp.Header.Get("Retry-After"))
				}
			}
			// Another market is another host.
			resp, _ = p.do(t, http.MethodGet, "/fapi/v1/klines", "")
			expect(t, resp, 200, "")
			select {
			case e := <-p.events:
				if e.Kind != test.event || e.Market != binance.Spot || e.Endpoint != "POST /api/v3/order" {
					t.Errorf("got event %+v, want kind %q", e, test.event)
				}
			case <-time.After(50 * time.Millisecond):
				if test.event != "" {
					t.Error("nobody was told of the ban")
				}
			}
		})
	}
}

func TestRestartDuringABanAsksNothing(t *testing.T) {
	var arrived atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(upstream.Close)
	dir := t.TempDir()
	only := func(c *Config) { c.Exchange.Markets = map[binance.Market]Endpoints{binance.Spot: {URL: upstream.URL}} }
	p := newProxyAt(t, upstream.URL, dir, only)
	<-p.events // Our own reading at the start was the first to hear of it.
	p.stop()
	before := arrived.Load()
	p = newProxyAt(t, upstream.URL, dir, only)
	resp, _ := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "")
	expect(t, resp, http.StatusTeapot, outcomeBanned)
	resp, _ = p.do(t, http.MethodGet, "/sapi/v1/system/status", "")
	expect(t, resp, http.StatusTeapot, outcomeBanned)
	if n := arrived.Load() - before; n != 0 {
		t.Errorf("%d requests reached the exchange during the ban", n)
	}
	if p.Status().Markets[0].Egress[0].BannedUntil == nil {
		t.Error("the status does not show the ban")
	}
}

func TestDamagedBanFileIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, banFileName), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBans(dir); err == nil || !strings.Contains(err.Error(), "delete the file") {
		t.Errorf("got error %v", err)
	}
}

func TestBansGrowWithTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, err := openBans(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		on := book.of(binance.Spot, "a")
		verdict := binance.Verdict{Kind: binance.Banned, RetryAfter: time.Minute}
		var counts []int
		for range 3 {
			e, err := book.start(on, verdict, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			counts = append(counts, e.Count)
			if again, _ := book.start(on, verdict, time.Now()); again != nil {
				t.Errorf("got another event %+v of the same ban", again)
			}
			time.Sleep(2 * time.Minute)
		}
		if diff := cmp.Diff([]int{1, 2, 3}, counts); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		time.Sleep(banMemory)
		if e, _ := book.start(on, verdict, time.Now()); e == nil || e.Count != 1 {
			t.Errorf("after three quiet days: got %+v, want the first", e)
		}
	})
}
