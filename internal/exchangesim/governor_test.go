package exchangesim_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
	"github.com/hedgewatch/hedgewatch/internal/governor"
)

// The governor and the exchange were written apart from each other. Ten clients ask
// for many times the limit over a network, and the exchange has nothing to refuse.
func TestGovernorKeepsGreedyClientsInsideTheLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two windows of real time")
	}
	// So little that a busy machine, too, asks for more.
	const window, limit = 6 * time.Second, 120
	limits := exchangesim.DefaultLimits()
	limits[binance.Spot][0] = binance.Limit{Type: binance.RequestWeight, Window: window, Count: limit}
	e := exchangesim.New(exchangesim.Config{Seed: 1, Limits: limits, Burst: 1 << 20})
	upstream := httptest.NewServer(e.Handler())
	defer upstream.Close()
	defer e.Close()

	cfg := governor.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Exchange.Markets = map[binance.Market]governor.Endpoints{binance.Spot: {URL: upstream.URL, WebSocketURL: upstream.URL}}
	g, err := governor.New(cfg, governor.Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: t.TempDir(),
		Ban: func(_ context.Context, b governor.BanEvent) { t.Errorf("banned: %+v", b) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	time.Sleep(500 * time.Millisecond) // It reads clock and limits.

	transport := &http.Transport{MaxIdleConnsPerHost: 20}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	until, stop := context.WithTimeout(ctx, 2*window)
	defer stop()
	before := e.Counts().Weight[binance.Spot]
	var served, held atomic.Int64
	var clients sync.WaitGroup
	for i := range 10 {
		clients.Go(func() {
			for n := 0; until.Err() == nil; n++ {
				// Different questions, or one answer would do for all.
				target := fmt.Sprintf("http://%s/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=%d", g.Addr(), 1+(i*97+n)%900)
				r, err := http.NewRequestWithContext(until, http.MethodGet, target, nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("X-Hedgewatch-Client", fmt.Sprint("client", i))
				resp, err := client.Do(r)
				if err != nil {
					return // The time is over.
				}
				_, _ = io.Copy(io.Discard, resp.Body) // Only the status counts.
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					served.Add(1)
				} else {
					held.Add(1)
				}
			}
		})
	}
	clients.Wait()
	c := e.Counts()
	if c.Limited != 0 || c.Banned != 0 || c.Firewall != 0 {
		t.Errorf("got %d answers 429, %d 418 and %d 403, want none", c.Limited, c.Banned, c.Firewall)
	}
	// Two windows' time touches three windows, of which the first and the last may be short.
	if weight := c.Weight[binance.Spot] - before; weight < limit {
		t.Errorf("got %d weight used by %d requests (%d held back), want more than one window's %d", weight, served.Load(), held.Load(), limit)
	}
	t.Logf("%d requests served, %d held back, weight %d", served.Load(), held.Load(), c.Weight[binance.Spot]-before)
}
