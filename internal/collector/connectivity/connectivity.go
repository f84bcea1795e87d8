package connectivity

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Deps are what a Collector needs of others.
type Deps struct {
	Logger *slog.Logger
	// Transport sends the requests of REST: the governor, where there is one.
	Transport http.RoundTripper
	// Dial opens WebSockets; nil is a client of its own.
	Dial *http.Client
	// Changed hears of changes in exchangeInfo, in one call for each reading; it may
	// be nil.
	Changed func(ctx context.Context, changes []Change)
}

// Collector measures until its Run ends. It is a prometheus.Collector.
type Collector struct {
	logger  *slog.Logger
	deps    Deps
	metrics *metrics
	// next is a configuration that Run has not begun yet.
	next chan Config

	now atomic.Pointer[watch]
}

// watch is what is measured by one configuration.
type watch struct {
	cfg     Config
	markets []*market
	streams []*stream
}

// New checks the configuration. It starts nothing.
func New(cfg Config, deps Deps) (*Collector, error) {
	if deps.Transport == nil {
		return nil, errors.New("connectivity: no transport")
	}
	c := &Collector{logger: deps.Logger, deps: deps, metrics: newMetrics(), next: make(chan Config, 1)}
	commit, err := c.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	commit()
	return c, nil
}

// Prepare checks a configuration; commit puts it to use. A configuration that is
// not enabled measures nothing.
func (c *Collector) Prepare(cfg Config) (commit func(), err error) {
	if cfg.Enabled {
		if err := cfg.Validate(); err != nil {
			return nil, err
		}
	}
	return func() {
		select {
		case <-c.next: // It never began.
		default:
		}
		c.next <- cfg
	}, nil
}

// Run measures until ctx ends.
func (c *Collector) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case cfg := <-c.next:
			for again := true; again; {
				cfg, again = c.run(ctx, cfg)
			}
		}
	}
}

// run measures by one configuration, until there is a next one.
func (c *Collector) run(ctx context.Context, cfg Config) (next Config, again bool) {
	w := c.watch(cfg)
	c.now.Store(w)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, m := range w.markets {
		running.Go(func() { m.run(ctx, c, cfg) })
	}
	for _, conn := range connections(w.streams) {
		running.Go(func() { conn.run(ctx, c) })
	}
	select {
	case <-ctx.Done():
		return Config{}, false
	case next = <-c.next:
		return next, true
	}
}

// watch keeps what is known of markets and streams that stay.
func (c *Collector) watch(cfg Config) *watch {
	w := &watch{cfg: cfg}
	if !cfg.Enabled {
		return w
	}
	old := c.now.Load()
	if old == nil {
		old = new(watch)
	}
	for _, name := range cfg.Markets {
		w.markets = append(w.markets, old.market(name))
	}
	for _, m := range cfg.Markets {
		for _, name := range cfg.Streams[m] {
			w.streams = append(w.streams, old.stream(m, name, cfg.streamURL(m)+streamPath(m, name)))
		}
	}
	return w
}

func (w *watch) market(name binance.Market) *market {
	for _, m := range w.markets {
		if m.name == name {
			return m
		}
	}
	return newMarket(name)
}

func (w *watch) stream(m binance.Market, name, url string) *stream {
	for _, s := range w.streams {
		if s.market == m && s.name == name && s.url == url {
			return s
		}
	}
	return &stream{market: m, name: name, url: url}
}

// tell logs and hands on changes.
func (c *Collector) tell(ctx context.Context, m binance.Market, found []Change) {
	const most = 5
	for _, ch := range found[:min(most, len(found))] {
		c.logger.Info("Exchange changed", "market", m, "change", ch.Kind, "what", ch.What, "from", ch.From, "to", ch.To)
	}
	if over := len(found) - most; over > 0 {
		c.logger.Info("Exchange changed further", "market", m, "changes", over)
	}
	if c.deps.Changed != nil {
		c.deps.Changed(ctx, found)
	}
}
