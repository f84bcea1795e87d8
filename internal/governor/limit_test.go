package governor

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// start runs a governor in front of e until the test ends, in simulated time: a
// real listener would hold that up.
func start(t *testing.T, cfg Config, e http.RoundTripper) *Governor {
	t.Helper()
	g, err := New(cfg, Deps{Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: t.TempDir(), Exchange: e})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- g.run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return g
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	return cfg
}

const clients = 10

// load is what the clients ask for: ten times the limit, in readings of three
// kinds, and a few orders and cancels.
type load struct {
	g      *Governor
	e      *exchange
	asked  sync.WaitGroup
	mu     sync.Mutex
	slow   []time.Duration // Orders that took longer than they may.
	orders int
}

func (l *load) ask(t *testing.T, rt http.RoundTripper, method, path string) {
	r, err := http.NewRequestWithContext(t.Context(), method, "http://exchange"+path, nil)
	if err != nil {
		t.Error(err)
		return
	}
	resp, err := rt.RoundTrip(r)
	if err == nil {
		readAll(resp)
	}
}

// order sends an order and checks how long it took to reach the exchange.
func (l *load) order(t *testing.T, rt http.RoundTripper, method string) {
	started := time.Now()
	l.ask(t, rt, method, fmt.Sprintf("/api/v3/order?timestamp=%d&signature=x", l.e.now().UnixMilli()))
	took := time.Since(started)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders++
	if most := 2*l.e.latency + 50*time.Millisecond + 2*time.Millisecond; took > most {
		l.slow = append(l.slow, took)
	}
}

// run asks until the end. Nothing waits for an answer before it asks again, as
// many services do.
func (l *load) run(t *testing.T, end time.Time) {
	paths := []string{"/api/v3/klines?symbol=%d", "/api/v3/aggTrades?symbol=%d", "/api/v3/trades?symbol=%d"}
	priority := []string{"market", "backfill", "account"}
	for i := range clients {
		rt := l.g.Transport(fmt.Sprintf("client%d", i), priority[i%3])
		random := rand.New(rand.NewPCG(7, uint64(i)))
		l.asked.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				path := fmt.Sprintf(paths[random.IntN(len(paths))], random.Int64())
				l.asked.Go(func() { l.ask(t, rt, http.MethodGet, path) })
				// 10.3 on average, 6000 each minute.
				time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
			}
		})
		l.asked.Go(func() {
			random := rand.New(rand.NewPCG(8, uint64(i)))
			for time.Now().Before(end) {
				time.Sleep(time.Duration(random.Int64N(int64(4 * time.Second))))
				l.asked.Go(func() { l.order(t, rt, http.MethodPost) })
				l.asked.Go(func() { l.order(t, rt, http.MethodDelete) })
			}
		})
	}
	l.asked.Wait()
}

func TestTenTimesTheLimitForHalfAnHour(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*exchange)
		foreign float64 // Of the limit.
		// limited is how many 429 a discovery may cost, share what must be used
		// of that which others leave.
		limited int
		share   float64
	}{
		{name: "alone", change: func(*exchange) {}, share: 0.97},
		{name: "foreign traffic", change: func(*exchange) {}, foreign: 0.2, limited: 1, share: 0.97},
		{name: "wrong weights", change: func(e *exchange) {
			e.prices["GET /api/v3/klines"], e.prices["GET /api/v3/aggTrades"], e.prices["GET /api/v3/trades"] = 6, 3, 40
		}, share: 0.97},
		{name: "clock ahead", change: func(e *exchange) { e.skew = 1300 * time.Millisecond }, share: 0.97},
		{name: "clock behind", change: func(e *exchange) { e.skew = -1300 * time.Millisecond }, share: 0.97},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newExchange()
				test.change(e)
				cfg := testConfig()
				cfg.Exchange.Markets = map[binance.Market]Endpoints{binance.Spot: {URL: "http://exchange"}}
				g := start(t, cfg, e)
				time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)) - e.skew)
				e.mu.Lock()
				e.total, e.foreign = 0, 0
				e.mu.Unlock()
				minutes := int64(30)
				if testing.Short() {
					minutes = 5
				}
				end := time.Now().Add(time.Duration(minutes) * time.Minute)
				l := &load{g: g, e: e}
				if test.foreign > 0 {
					l.asked.Go(func() {
						for time.Now().Before(end) {
							e.other(int64(test.foreign * float64(e.limit) / 600))
							time.Sleep(100 * time.Millisecond)
						}
					})
				}
				var total, foreign int64
				l.asked.Go(func() {
					time.Sleep(time.Until(end))
					e.mu.Lock()
					defer e.mu.Unlock()
					total, foreign = e.total, e.foreign
				})
				l.run(t, end)
				e.mu.Lock()
				defer e.mu.Unlock()
				allowed := float64(minutes*e.limit - foreign)
				share := float64(total) / allowed
				t.Logf("%.2f%% of %.0f used, %d×429, %d×418, %d orders, %d of them late; %v", 100*share, allowed, e.limited, e.banned, l.orders, len(l.slow), e.byPath)
				if e.banned > 0 || e.limited > test.limited {
					t.Errorf("got %d × 429 and %d × 418, want at most %d and 0", e.limited, e.banned, test.limited)
				}
				if share < test.share {
					t.Errorf("got %.2f%% of the allowed weight used, want %.0f%%", 100*share, 100*test.share)
				}
				if len(l.slow) > 0 {
					t.Errorf("%d of %d orders were late: %v", len(l.slow), l.orders, l.slow[:min(5, len(l.slow))])
				}
				for _, m := range g.Status().Markets[:1] {
					t.Logf("drifts %v, offset %v", m.Drifts, *m.ClockOffset)
				}
			})
		})
	}
}
