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
	dates   dateParser

	refresher *refresher
	listener  *listener
	setup     atomic.Pointer[setup]

	mu sync.RWMutex
	// gates are by market, and by endpoint for those with limits of their own.
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
		logger: d.Logger, onBan: d.Ban, metrics: newMetrics(), sharing: newSharing(), bans: bans,
		events:  make(chan BanEvent, maxEvents),
		clocks:  make(map[binance.Market]*clock),
		orders:  make(map[binance.Market]*orderBook),
		lessons: make(map[binance.Market]*lessons),
		gates:   make(map[string]*gate),
	}
	g.setup.Store(s)
	ways := cfg.Egress
	if len(ways) == 0 {
		ways = []Egress{{Name: defaultEgress}}
	}
	for _, way := range ways {
		e := newEgress(way)
		if d.Exchange != nil {
			e.transport, e.sockets = d.Exchange, d.Exchange
		}
		g.egress = append(g.egress, e)
	}
	for _, m := range binance.Markets() {
		g.lessons[m] = newLessons()
		if m != binance.SAPI {
			g.clocks[m] = newClock()
			g.orders[m] = newOrderBook(m, g.clocks[m])
			g.market(m)
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

// maxGates bounds the endpoints of /sapi that are told apart.
const maxGates = 300

// gateOf is the gate that a call must pass.
func (g *Governor) gateOf(c *call) *gate {
	if c.funding() {
		return g.named(string(c.market)+" funding", func() *gate {
			return g.newGate(c.market, binance.FundingLimit(), nil)
		})
	}
	if c.market != binance.SAPI {
		g.refresher.use(c.market)
		return g.market(c.market)
	}
	return g.named(c.path, func() *gate {
		return g.newGate(c.market, binance.DefaultLimits(binance.SAPI)[0], nil)
	})
}

// market is the gate of a market that has limits as a whole.
func (g *Governor) market(m binance.Market) *gate {
	return g.named(string(m), func() *gate {
		limits := binance.DefaultLimits(m)
		var requests *binance.Limit
		for i, l := range limits {
			if l.Type == binance.RawRequests {
				requests = &limits[i]
			}
		}
		return g.newGate(m, limits[0], requests)
	})
}

func (g *Governor) named(name string, make func() *gate) *gate {
	g.mu.RLock()
	found := g.gates[name]
	full := len(g.gates) >= maxGates
	g.mu.RUnlock()
	if found != nil {
		return found
	}
	if full {
		name = "/sapi/" + otherLabel
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if found := g.gates[name]; found != nil {
		return found
	}
	created := make()
	g.gates[name] = created
	if g.work != nil {
		g.work(created)
	}
	return created
}

func (g *Governor) newGate(m binance.Market, weight binance.Limit, requests *binance.Limit) *gate {
	created := &gate{
		market: m, clock: g.clocks[m.Host()], ledger: new(ledger),
		rules: g.setup.Load().config.rules(), wake: make(chan struct{}, 1),
	}
	for _, e := range g.egress {
		l := &lane{egress: e, ban: g.bans.of(m, e.name), weight: newBudget(weight.Count, weight.Window)}
		if requests != nil {
			l.requests = newBudget(requests.Count, requests.Window)
		}
		created.lanes = append(created.lanes, l)
	}
	return created
}
