package governor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const (
	// timeEvery is between readings of the exchange's clock, infoEvery of its limits.
	timeEvery = 30 * time.Second
	infoEvery = time.Hour
	// refreshRetry follows a reading that failed.
	refreshRetry = 5 * time.Second
	// refreshTimeout bounds one reading.
	refreshTimeout = 15 * time.Second
	// maxOffset is what a clock may be off: beyond, windows of days would be wrong.
	maxOffset = time.Hour
)

// refreshClient is our name among the clients.
const refreshClient = "hedgewatch"

// refresher reads the exchange's clock and limits, through the gates like everybody
// else. It asks the markets that are configured, and others once they are used.
type refresher struct {
	g       *Governor
	markets map[binance.Market]*refresh
}

type refresh struct {
	market binance.Market
	// wake starts a reading at once; it has one slot.
	wake chan struct{}
	once sync.Once
	used chan struct{} // Closed when the market is used.

	mu         sync.Mutex
	limitsRead time.Time
}

func newRefresher(g *Governor) *refresher {
	r := &refresher{g: g, markets: make(map[binance.Market]*refresh)}
	for _, m := range []binance.Market{binance.Spot, binance.USDM, binance.COINM} {
		r.markets[m] = &refresh{market: m, wake: make(chan struct{}, 1), used: make(chan struct{})}
		if _, ok := g.setup.Load().config.Exchange.Markets[m]; ok {
			r.use(m)
		}
	}
	return r
}

// use says that a market is used.
func (r *refresher) use(m binance.Market) {
	if f := r.markets[m]; f != nil {
		f.once.Do(func() { close(f.used) })
	}
}

// resync reads the clock at once: a request's timestamp was refused.
func (r *refresher) resync(m binance.Market) {
	if f := r.markets[m.Host()]; f != nil {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

func (r *refresher) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, f := range r.markets {
		running.Go(func() { r.market(ctx, f) })
	}
}

func (r *refresher) market(ctx context.Context, f *refresh) {
	select {
	case <-f.used:
	case <-ctx.Done():
		return
	}
	var lastTime, lastInfo time.Time
	failing := false
	for {
		var err error
		if time.Since(lastTime) >= timeEvery {
			if err = r.time(ctx, f.market); err == nil {
				lastTime = time.Now()
			}
		}
		if err == nil && time.Since(lastInfo) >= infoEvery {
			if err = r.limits(ctx, f); err == nil {
				lastInfo = time.Now()
			}
		}
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				r.g.logger.Warn("Exchange's clock and limits not read; what was known goes on", "market", f.market, "err", err)
			} else {
				r.g.logger.Info("Exchange's clock and limits are read again", "market", f.market)
			}
		}
		next := timeEvery
		if err != nil {
			next = refreshRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			lastTime = time.Time{}
			// A client with a wrong clock must not make us ask all the time.
			if !pause(ctx, time.Second) {
				return
			}
		case <-time.After(next):
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// get sends a request of our own. The times are right before and after the
// exchange had it, without the queue.
func (r *refresher) get(ctx context.Context, path string, read func(a *answer, received time.Time) error) error {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	c, p := r.g.newCall(call{method: http.MethodGet, path: path, client: refreshClient}, account.String())
	if p != nil {
		return p
	}
	a, err := r.g.send(ctx, c)
	received := time.Now()
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	defer a.Body.Close()
	r.g.metrics.served(c, a.outcome)
	if a.Status != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(a.Body, binance.MaxErrorBytes)) // It only explains the status.
		return fmt.Errorf("GET %s: %w", path, binance.ReadError(a.Status, body))
	}
	return read(a, received)
}

func (r *refresher) time(ctx context.Context, m binance.Market) error {
	return r.get(ctx, m.TimePath(), func(a *answer, received time.Time) error {
		var said struct {
			ServerTime int64 `json:"serverTime"`
		}
		const enough = 1024
		if err := json.NewDecoder(io.LimitReader(a.Body, enough)).Decode(&said); err != nil || said.ServerTime <= 0 {
			return fmt.Errorf("GET %s: the answer has no serverTime", m.TimePath())
		}
		server := time.UnixMilli(said.ServerTime)
		if off := server.Sub(received); off.Abs() > maxOffset {
			return fmt.Errorf("GET %s: the exchange's clock and ours are %v apart; set ours", m.TimePath(), off.Round(time.Second))
		}
		r.g.clocks[m].observe(received.Add(-a.upstream), received, server)
		return nil
	})
}

func (r *refresher) limits(ctx context.Context, f *refresh) error {
	return r.get(ctx, f.market.InfoPath(), func(a *answer, _ time.Time) error {
		limits, err := binance.ReadLimits(a.Body)
		if err != nil {
			return err
		}
		g := r.g.market(f.market)
		if changed := g.setLimits(limits); changed {
			r.g.logger.Info("Exchange's limits read", "market", f.market, "limits", describe(limits))
		}
		r.g.orders[f.market].setLimits(limits)
		f.mu.Lock()
		f.limitsRead = time.Now()
		f.mu.Unlock()
		return nil
	})
}

func describe(limits []binance.Limit) []string {
	var all []string
	for _, l := range limits {
		all = append(all, fmt.Sprintf("%s %d/%s", l.Type, l.Count, binance.WindowName(l.Window)))
	}
	slices.Sort(all)
	return all
}
