package governor

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
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

// scenario is half an hour of ten clients that ask for ten times the limit of a
// market, in readings of three kinds, and place and cancel orders.
type scenario struct {
	name     string
	market   binance.Market
	limit    int64
	readings []string // Each with a place for a number that makes it another one.
	order    string
	// weights is a table that is not the exchange's.
	weights string
	skew    time.Duration // The exchange's clock less ours.
	// foreign is the part of the limit that somebody else uses, each part of it in
	// one of bursts in a minute.
	foreign float64
	bursts  int
	// limited is how many 429 a discovery may cost.
	limited int64
	minutes int64
}

func scenarios() []scenario {
	spot := scenario{
		market: binance.Spot, limit: 6000, minutes: 30, order: "/api/v3/order",
		readings: []string{
			"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1&n=%d",
			"/api/v3/aggTrades?symbol=BTCUSDT&limit=1&n=%d",
			"/api/v3/trades?symbol=BTCUSDT&limit=1&n=%d",
		},
	}
	futures := scenario{
		market: binance.USDM, limit: 2400, minutes: 10, order: "/fapi/v1/order",
		readings: []string{
			"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1&n=%d",
			"/fapi/v1/ticker/price?n=%d",
			"/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1&n=%d",
		},
	}
	with := func(s scenario, name string, change func(*scenario)) scenario {
		s.name = name
		change(&s)
		return s
	}
	return []scenario{
		with(spot, "alone", func(*scenario) {}),
		with(futures, "futures", func(*scenario) {}),
		with(spot, "foreign traffic", func(s *scenario) { s.foreign, s.bursts, s.limited = 0.2, 600, 1 }),
		// Nobody can foresee the first bursts of a twentieth of the limit each, at a
		// random time: the two first minutes are three discoveries, each with a 429 for
		// the others and one for us, and there is none after them.
		with(spot, "foreign bursts", func(s *scenario) { s.foreign, s.bursts, s.limited, s.minutes = 0.2, 4, 6, 10 }),
		with(spot, "wrong weights", func(s *scenario) {
			s.limited = 1
			s.weights = "# version: wrong\nmarket,method,path,when,weight,success,orders,flags,source\n" +
				"spot,GET,/api/v3/klines,,1,,,public,\nspot,GET,/api/v3/aggTrades,,7,,,public,\nspot,GET,/api/v3/trades,,5,,,public,\n"
		}),
		with(spot, "clock ahead", func(s *scenario) { s.skew, s.limited = 1300*time.Millisecond, 1 }),
		with(spot, "clock behind", func(s *scenario) { s.skew, s.limited, s.minutes = -1300*time.Millisecond, 1, 10 }),
	}
}

// run is a scenario that runs.
type run struct {
	scenario
	g     *Governor
	n     *network
	end   time.Time
	asked sync.WaitGroup

	mu sync.Mutex
	// sent is when urgent requests were handed over, by their query.
	sent     map[string]time.Time
	rejected int // Orders and cancels that did not succeed.
	foreign  int64
}

func (r *run) ask(t *testing.T, rt http.RoundTripper, request *http.Request) int {
	resp, err := rt.RoundTrip(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	readAll(resp)
	return resp.StatusCode
}

// orders places an order and cancels it.
func (r *run) orders(t *testing.T, rt http.RoundTripper, id string) {
	for _, step := range []struct{ method, params string }{
		{http.MethodPost, "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=20000&newClientOrderId=" + id},
		{http.MethodDelete, "symbol=BTCUSDT&origClientOrderId=" + id},
	} {
		request := r.n.signed(t, 0, step.method, r.order, step.params)
		r.mu.Lock()
		r.sent[request.URL.RawQuery] = time.Now()
		r.mu.Unlock()
		if status := r.ask(t, rt, request); status != http.StatusOK {
			r.mu.Lock()
			r.rejected++
			r.mu.Unlock()
		}
	}
}

// ask lets all clients ask until the end. None waits for an answer before it asks
// again, as many services do.
func (r *run) clients(t *testing.T) {
	priority := []string{"market", "backfill", "account"}
	for i := range clients {
		rt := r.g.Transport(fmt.Sprintf("client%d", i), priority[i%3])
		random := rand.New(rand.NewPCG(7, uint64(i)))
		r.asked.Go(func() {
			for time.Now().Before(r.end) {
				path := fmt.Sprintf(r.readings[random.IntN(len(r.readings))], random.Int64())
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://exchange"+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.asked.Go(func() { r.ask(t, rt, request) })
				time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
			}
		})
		r.asked.Go(func() {
			random := rand.New(rand.NewPCG(8, uint64(i)))
			for number := 0; time.Now().Before(r.end); number++ {
				time.Sleep(time.Duration(random.Int64N(int64(4 * time.Second))))
				r.asked.Go(func() { r.orders(t, rt, fmt.Sprintf("c%dn%d", i, number)) })
			}
		})
	}
	if r.bursts > 0 {
		r.asked.Go(func() { r.others(t) })
	}
}

// others asks past the governor.
func (r *run) others(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	weight := int64(r.scenario.foreign * float64(r.limit) / float64(r.bursts))
	every := time.Minute / time.Duration(r.bursts)
	for start := time.Now(); start.Before(r.end); start = start.Add(every) {
		time.Sleep(time.Until(start.Add(time.Duration(random.Int64N(int64(every))))))
		used := int64(0)
		for used < weight {
			used += 2
			if resp := r.n.ask(http.MethodGet, "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1", nil); resp.StatusCode != http.StatusOK {
				break // Else they would be the reason of a ban.
			}
		}
		r.mu.Lock()
		r.foreign += used
		r.mu.Unlock()
	}
}

// late is how many orders and cancels did not leave within 50 ms, and the longest time.
func (r *run) late() (late int, longest time.Duration) {
	for query, sent := range r.sent {
		left, ok := r.n.left[query]
		if !ok || left.Sub(sent) > 50*time.Millisecond {
			late++
		}
		longest = max(longest, left.Sub(sent))
	}
	return late, longest
}

// The exchange is written from its documents, apart from the governor.
func TestTenTimesTheLimitForHalfAnHour(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playScenario(t, s) })
		})
	}
}

func playScenario(t *testing.T, s scenario) {
	n := newNetwork(exchangesim.Config{Seed: 1, Now: func() time.Time { return time.Now().Add(s.skew) }, Since: time.Now().Add(-time.Hour)})
	defer n.Close()
	cfg := testConfig()
	cfg.Exchange.Markets = map[binance.Market]Endpoints{s.market: {URL: "http://exchange"}}
	if s.weights != "" {
		cfg.Exchange.WeightsFile = filepath.Join(t.TempDir(), "weights.csv")
		if err := os.WriteFile(cfg.Exchange.WeightsFile, []byte(s.weights), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := start(t, cfg, n)
	brief := testing.Short() || raceDetector // Half an hour takes minutes with the race detector.
	if brief {
		s.minutes = 3
	}
	// The clients come when a minute of the exchange begins.
	begin := n.Now().Truncate(time.Minute).Add(time.Minute)
	time.Sleep(begin.Sub(n.Now()))
	before := n.Counts().Weight[s.market]
	r := &run{scenario: s, g: g, n: n, end: time.Now().Add(time.Duration(s.minutes) * time.Minute), sent: make(map[string]time.Time)}
	var counts exchangesim.Counts
	var foreign int64
	r.asked.Go(func() {
		time.Sleep(time.Until(r.end.Add(-time.Millisecond)))
		r.mu.Lock()
		defer r.mu.Unlock()
		counts, foreign = n.Counts(), r.foreign
	})
	r.clients(t)
	r.asked.Wait()

	allowed := s.minutes*s.limit - foreign
	share := float64(counts.Weight[s.market]-before-foreign) / float64(allowed)
	late, longest := r.late()
	// bench reads these.
	for key, value := range map[string]string{
		"share": fmt.Sprintf("%.4f", share), "limited": fmt.Sprint(counts.Limited), "banned": fmt.Sprint(counts.Banned),
		"orders": fmt.Sprint(len(r.sent)), "late": fmt.Sprint(late), "longest_seconds": fmt.Sprint(longest.Seconds()),
	} {
		t.Attr(key, value)
	}
	t.Logf("%.2f%% of %d used, %d × 429, %d × 418; %d orders and cancels, the slowest sent after %v", 100*share, allowed, counts.Limited, counts.Banned, len(r.sent), longest)
	if counts.Banned > 0 || counts.Limited > s.limited {
		t.Errorf("got %d × 429 and %d × 418, want at most %d and 0", counts.Limited, counts.Banned, s.limited)
	}
	if share < 0.97 && !brief {
		t.Errorf("got %.2f%% of the allowed weight used, want 97%%", 100*share)
	}
	if counts.Limited == 0 && (late > 0 || r.rejected > 0) || len(r.sent) == 0 {
		t.Errorf("got %d of %d orders and cancels late and %d refused, want none", late, len(r.sent), r.rejected)
	}
}
