package main

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// gauges are a target with one series for each trial, `bench_breach{trial="7"}`.
// They note when a value was first handed out, which is when it was scraped.
type gauges struct {
	url    string
	server *http.Server
	ended  sync.WaitGroup

	mu     sync.Mutex
	values []float64
	served []time.Time // Zero until the current value has been scraped.
}

func startGauges(n int) (*gauges, error) {
	g := &gauges{values: make([]float64, n), served: make([]time.Time, n)}
	url, server, err := serve(g, &g.ended)
	if err != nil {
		return nil, err
	}
	g.url, g.server = url, server
	return g, nil
}

func (g *gauges) close() {
	_ = g.server.Close() // Nothing of it is used again.
	g.ended.Wait()
}

func (g *gauges) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	g.mu.Lock()
	defer g.mu.Unlock()
	var b []byte
	for i, v := range g.values {
		b = fmt.Appendf(b, "bench_breach{trial=%q} %g\n", strconv.Itoa(i), v)
	}
	_, _ = w.Write(b) // A scraper that went away knows.
	now := time.Now()
	for i := range g.served {
		if g.served[i].IsZero() {
			g.served[i] = now
		}
	}
}

// set changes the values of some trials, and returns when.
func (g *gauges) set(v float64, trials ...int) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range trials {
		g.values[i], g.served[i] = v, time.Time{}
	}
	return time.Now()
}

// servedAt is when the current value of a trial was first scraped.
func (g *gauges) servedAt(trial int) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.served[trial]
}

// scrapeJob is their scrape configuration.
func (g *gauges) scrapeJob(interval time.Duration) string {
	return fmt.Sprintf("- job_name: gauges\n  scrape_interval: %s\n  scrape_timeout: %s\n  static_configs: [{targets: [%q]}]\n",
		interval, interval, g.url[len("http://"):])
}
