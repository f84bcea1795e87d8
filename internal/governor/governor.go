// Package governor keeps every service that shares an address inside the
// exchange's limits. It is a reverse proxy: a service points its base URL at it
// and changes nothing else. Limits count by address, and by account for orders,
// so that one place must see all requests; this is that place.
//
// A request passes its market's gate (gate.go), which has a budget for each window
// and address (budget.go), leaves room for what is more urgent (policy.go) and is
// fair among clients (queue.go). Orders and cancels pass without waiting, whatever
// the accounting says, short of a ban. What the exchange answers settles the
// budget, corrects the weight table (learn.go), or starts a ban (bans.go).
//
// It does not sign, retry or change requests, and knows no strategy. Start with
// [New]; [Governor.Transport] is the way in for parts of this process.
package governor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Deps are what a Governor needs from outside.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Dir is where bans are remembered.
	Dir string
	// Ban is told of each new ban; nil if nobody wants to know.
	Ban func(context.Context, BanEvent)
	// Changed is called when something of [Status] has changed, for each request.
	// It must not wait; nil if nobody wants to know.
	Changed func()
	// Exchange carries requests in the place of the network; nil is the network.
	Exchange http.RoundTripper
}

// Governor is the proxy. It is safe for concurrent use.
type Governor struct {
	logger  *slog.Logger
	onBan   func(context.Context, BanEvent)
	metrics *metrics
	sharing *sharing
	bans    *banBook
	events  chan BanEvent
	egress  []*egress
	clocks  map[binance.Market]*clock
	orders  map[binance.Market]*orderBook
	lessons map[binance.Market]*lessons
	// markets are the gates of those that have limits as a whole.
	markets map[binance.Market]*gate
	dates   dateParser

	refresher *refresher
	listener  *listener
	sockets   openSockets
	setup     atomic.Pointer[setup]

	mu sync.RWMutex
	// gates are by market, endpoint and account, as gateConfig.name writes them.
	gates map[string]*gate
	// work starts a gate's goroutine while Run runs.
	work func(*gate)
}

// setup is all that a reload replaces.
type setup struct {
	config   Config
	table    *binance.Table
	bases    map[binance.Market]*url.URL
	sockets  map[binance.Market]*url.URL
	accounts accountNames
	tokens   tokens
	cache    map[string]time.Duration
}

func newSetup(cfg Config) (*setup, error) {
	if err := errors.Join(cfg.Validate(), cfg.Exchange.Validate()); err != nil {
		return nil, err
	}
	table, err := cfg.Exchange.table()
	if err != nil {
		return nil, err
	}
	s := &setup{
		config: cfg, table: table,
		bases:    make(map[binance.Market]*url.URL),
		sockets:  make(map[binance.Market]*url.URL),
		accounts: newAccountNames(cfg.Exchange.Accounts),
		tokens:   newTokens(cfg.Clients),
		cache:    make(map[string]time.Duration),
	}
	for _, m := range binance.Markets() {
		if s.bases[m], err = parseBase(cfg.Exchange.base(m)); err != nil {
			return nil, err
		}
		if m == binance.SAPI {
			continue
		}
		if s.sockets[m], err = parseBase(cfg.Exchange.webSocketBase(m)); err != nil {
			return nil, err
		}
	}
	for path, ttl := range cfg.Cache {
		s.cache[path] = time.Duration(ttl)
	}
	return s, nil
}

// maxEvents bounds the bans that wait to be told.
const maxEvents = 64

// New reads the bans of the last run and builds everything. It starts nothing and
// binds no address.
func New(cfg Config, d Deps) (*Governor, error) {
	s, err := newSetup(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, err
	}
	bans, err := openBans(d.Dir)
	if err != nil {
		return nil, err
	}
	g := &Governor{
		logger: d.Logger, onBan: d.Ban, metrics: newMetrics(d.Changed), sharing: newSharing(), bans: bans,
		events:  make(chan BanEvent, maxEvents),
		clocks:  make(map[binance.Market]*clock),
		orders:  make(map[binance.Market]*orderBook),
		lessons: make(map[binance.Market]*lessons),
		gates:   make(map[string]*gate),
		markets: make(map[binance.Market]*gate),
	}
	g.setup.Store(s)
	ways := cfg.Egress
	if len(ways) == 0 {
		ways = []Egress{{Name: defaultEgress}}
	}
	for _, way := range ways {
		e := newEgress(way)
		if d.Exchange != nil {
			e.direct, e.transport, e.sockets = nil, d.Exchange, d.Exchange
		}
		g.egress = append(g.egress, e)
	}
	for _, m := range binance.Markets() {
		g.lessons[m] = newLessons()
		if m != binance.SAPI {
			g.clocks[m] = newClock()
			g.orders[m] = newOrderBook(m, g.clocks[m])
			g.markets[m] = g.gate(marketConfig(m))
		}
	}
	g.refresher = newRefresher(g)
	if g.listener, err = newListener(g, cfg); err != nil {
		return nil, err
	}
	return g, g.metrics.register(d.Registerer, g)
}

// Addr is the address that is listened on, nil before Run.
func (g *Governor) Addr() net.Addr { return g.listener.addr() }

// Listen binds the address, or takes the one that systemd holds for us. Run does it
// if nobody has; to do it early is to know early that it cannot be done.
func (g *Governor) Listen() error { return g.listener.bind() }

// Run serves until ctx ends, and then finishes what is under way.
func (g *Governor) Run(ctx context.Context) error {
	if err := g.Listen(); err != nil {
		return err
	}
	return g.run(ctx, g.listener.serve)
}

// run works for as long as serve serves.
func (g *Governor) run(ctx context.Context, serve func(context.Context) error) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	g.mu.Lock()
	g.work = func(gate *gate) { running.Go(func() { gate.run(background) }) }
	for _, gate := range g.gates {
		g.work(gate)
	}
	g.mu.Unlock()
	running.Go(func() { g.tell(background) })
	running.Go(func() { g.refresher.run(background) })
	err := serve(ctx)
	g.mu.Lock()
	g.work = nil
	g.mu.Unlock()
	cancel()
	running.Wait()
	for _, e := range g.egress {
		e.close()
	}
	return err
}

// tell hands bans to whoever wants to know.
func (g *Governor) tell(ctx context.Context) {
	for {
		select {
		case e := <-g.events:
			if g.onBan != nil {
				g.onBan(ctx, e)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Prepare validates a new configuration. Nothing changes until commit is called,
// and no connection is refused or cut then.
func (g *Governor) Prepare(cfg Config) (commit func(), err error) {
	s, err := newSetup(cfg)
	if err != nil {
		return nil, err
	}
	old := g.setup.Load().config
	for _, fixed := range []struct {
		key  string
		same bool
	}{
		{"listen", old.Listen == cfg.Listen},
		{"max_connections", old.MaxConnections == cfg.MaxConnections},
		{"egress", reflect.DeepEqual(old.Egress, cfg.Egress)},
		{"tls.client_ca_file", old.TLS.ClientCAFile == cfg.TLS.ClientCAFile},
	} {
		if !fixed.same {
			return nil, fmt.Errorf("governor.%s: cannot change while services use it; restart hedgewatch", fixed.key)
		}
	}
	commitTLS, err := g.listener.prepare(cfg)
	if err != nil {
		return nil, err
	}
	return func() {
		commitTLS()
		g.setup.Store(s)
		g.mu.RLock()
		defer g.mu.RUnlock()
		for _, gate := range g.gates {
			gate.setRules(cfg.rules())
		}
	}, nil
}

// maxEndpoints bounds the limits of /sapi that are told apart: those of the endpoints,
// and of the accounts where a limit is the account's.
const maxEndpoints = 1000

// gateConfig is what a gate is made from.
type gateConfig struct {
	market binance.Market
	weight binance.Limit
	// requests is nil where there is no such limit.
	requests *binance.Limit
	// endpoint is empty for a market as a whole.
	endpoint string
	// byAccount is true for a limit that all addresses share; account is whose it is.
	byAccount bool
	account   string
}

func (c gateConfig) name() string {
	return strings.Join([]string{string(c.market), c.endpoint, c.account}, " ")
}

// gateOf is the gate that a call must pass.
func (g *Governor) gateOf(c *call) *gate {
	switch {
	case c.funding():
		return g.gate(gateConfig{market: c.market, weight: binance.FundingLimit(), endpoint: "funding"})
	case c.market == binance.SAPI:
		return g.sapi(c)
	}
	g.refresher.use(c.market)
	return g.market(c.market)
}

// market is the gate of a market that has limits as a whole.
func (g *Governor) market(m binance.Market) *gate { return g.markets[m] }

func marketConfig(m binance.Market) gateConfig {
	limits := binance.DefaultLimits(m)
	cfg := gateConfig{market: m, weight: limits[0]}
	for i, l := range limits {
		if l.Type == binance.RawRequests {
			cfg.requests = &limits[i]
		}
	}
	return cfg
}

// sapi is the gate of an endpoint of /sapi. Each has a limit of the address or of the
// account, by method and path; API docs, 2026-07.
func (g *Governor) sapi(c *call) *gate {
	cfg := gateConfig{market: binance.SAPI, weight: binance.DefaultLimits(binance.SAPI)[0], endpoint: c.method + " " + c.path}
	if e := c.cost.Endpoint; e != nil && e.PerAccount {
		cfg.weight.Count, cfg.byAccount, cfg.account = binance.SAPIPerAccount, true, c.account
	}
	g.mu.RLock()
	full := len(g.gates) >= maxEndpoints && g.gates[cfg.name()] == nil
	g.mu.RUnlock()
	if full {
		cfg = gateConfig{market: binance.SAPI, weight: binance.DefaultLimits(binance.SAPI)[0], endpoint: otherLabel}
	}
	return g.gate(cfg)
}

// gate returns the gate of that name, which it makes if there is none.
func (g *Governor) gate(cfg gateConfig) *gate {
	name := cfg.name()
	g.mu.RLock()
	found := g.gates[name]
	g.mu.RUnlock()
	if found != nil {
		return found
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if found := g.gates[name]; found != nil {
		return found
	}
	created := g.newGate(cfg)
	g.gates[name] = created
	if g.work != nil {
		g.work(created)
	}
	return created
}

func (g *Governor) newGate(cfg gateConfig) *gate {
	created := &gate{
		config: cfg, clock: g.clocks[cfg.market.Host()], ledger: new(ledger),
		rules: g.setup.Load().config.rules(), wake: make(chan struct{}, 1),
	}
	weight := newBudget(cfg.weight.Count, cfg.weight.Window)
	for i, e := range g.egress {
		if i > 0 && !cfg.byAccount {
			weight = newBudget(cfg.weight.Count, cfg.weight.Window)
		}
		l := &lane{egress: e, ban: g.bans.of(cfg.market, e.name), weight: weight}
		if cfg.requests != nil {
			l.requests = newBudget(cfg.requests.Count, cfg.requests.Window)
		}
		created.lanes = append(created.lanes, l)
	}
	return created
}
