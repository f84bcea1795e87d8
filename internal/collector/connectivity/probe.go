package connectivity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// The probes, which are labels.
const (
	probeTime   = "time"
	probeInfo   = "exchange_info"
	probeStatus = "system_status"
)

// statusPath needs no key; weight 1 of a limit of its own.
const statusPath = "/sapi/v1/system/status"

// statusInterval is between readings of the system status.
const statusInterval = time.Minute

// probeTimeout is the exchange's own for its backend; API docs, -1007.
const probeTimeout = 10 * time.Second

// market is what we know of one.
type market struct {
	name  binance.Market
	clock clock

	mu          sync.Mutex
	probes      map[string]probe
	info        *info
	maintenance bool
	changed     map[string]int64 // Changes by kind.
}

// probe is how the last attempt went.
type probe struct {
	at      time.Time
	success time.Time // Zero if there was none.
	ok      bool
}

func newMarket(m binance.Market) *market {
	return &market{name: m, probes: make(map[string]probe), changed: make(map[string]int64)}
}

// run probes until ctx ends.
func (m *market) run(ctx context.Context, c *Collector, cfg Config) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		m.every(ctx, c, probeTime, time.Duration(cfg.ClockInterval), func(ctx context.Context) error { return m.readTime(ctx, c, cfg) })
	})
	running.Go(func() {
		m.every(ctx, c, probeInfo, time.Duration(cfg.InfoInterval), func(ctx context.Context) error { return m.readInfo(ctx, c, cfg) })
	})
	if m.name == binance.Spot {
		running.Go(func() {
			m.every(ctx, c, probeStatus, statusInterval, func(ctx context.Context) error { return m.readStatus(ctx, c, cfg) })
		})
	}
}

// every probes at once and then at each interval. Only what changes is logged.
func (m *market) every(ctx context.Context, c *Collector, name string, interval time.Duration, do func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, probeTimeout)
		err := do(attempt)
		cancel()
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		before, known := m.probes[name]
		p := probe{at: time.Now(), success: before.success, ok: err == nil}
		if p.ok {
			p.success = p.at
		}
		m.probes[name] = p
		m.mu.Unlock()
		if err != nil {
			c.metrics.failures.WithLabelValues(string(m.name), name).Inc()
		}
		switch {
		case err != nil && (before.ok || !known):
			c.logger.Warn("Exchange not reached", "market", m.name, "probe", name, "err", err)
		case err == nil && known && !before.ok:
			c.logger.Info("Exchange reached again", "market", m.name, "probe", name)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// get asks for a path and hands a successful body to read, with the times around it.
func (m *market) get(ctx context.Context, c *Collector, url string, read func(body io.Reader, sent, received time.Time) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	sent := time.Now()
	resp, err := c.deps.Transport.RoundTrip(r)
	received := time.Now()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, binance.MaxErrorBytes)) // It only explains the status.
		return fmt.Errorf("GET %s: %w", r.URL.Path, binance.ReadError(resp.StatusCode, body))
	}
	return read(resp.Body, sent, received)
}

func (m *market) readTime(ctx context.Context, c *Collector, cfg Config) error {
	return m.get(ctx, c, cfg.restURL(m.name)+m.name.TimePath(), func(body io.Reader, sent, received time.Time) error {
		var said struct {
			ServerTime int64 `json:"serverTime"`
		}
		const enough = 1024
		if err := json.NewDecoder(io.LimitReader(body, enough)).Decode(&said); err != nil || said.ServerTime <= 0 {
			return fmt.Errorf("GET %s: the answer has no serverTime", m.name.TimePath())
		}
		c.metrics.latency.WithLabelValues(string(m.name)).Observe(received.Sub(sent).Seconds())
		m.clock.observe(sent, received, time.UnixMilli(said.ServerTime))
		return nil
	})
}

func (m *market) readInfo(ctx context.Context, c *Collector, cfg Config) error {
	var found []Change
	err := m.get(ctx, c, cfg.restURL(m.name)+m.name.InfoPath(), func(body io.Reader, _, _ time.Time) error {
		next, err := readInfo(body)
		if err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		found = changes(m.name, m.info, next)
		m.info = next
		for _, ch := range found {
			m.changed[ch.Kind]++
		}
		return nil
	})
	if len(found) > 0 {
		c.tell(ctx, m.name, found)
	}
	return err
}

func (m *market) readStatus(ctx context.Context, c *Collector, cfg Config) error {
	return m.get(ctx, c, cfg.restURL(m.name)+statusPath, func(body io.Reader, _, _ time.Time) error {
		var said struct {
			Status *int `json:"status"`
		}
		const enough = 4096
		if err := json.NewDecoder(io.LimitReader(body, enough)).Decode(&said); err != nil || said.Status == nil {
			return fmt.Errorf("GET %s: the answer has no status", statusPath)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.maintenance = *said.Status != 0
		return nil
	})
}
