package exchangesim

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Exchange is a simulated exchange. Close ends its WebSockets.
type Exchange struct {
	cfg     Config
	symbols map[binance.Market]map[string]*symbol
	listed  map[binance.Market][]*symbol // As in the configuration.
	routes  map[string]*route            // By method and path.
	ctx     context.Context              // Ends the sockets; Close cancels it.
	cancel  context.CancelFunc
	sockets sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	addresses map[string]*address
	accounts  []*account
	listen    map[string]*account // By listen key.
	faults    []activeFault
	skew      time.Duration
	delisted  map[*symbol]bool
	live      map[*socket]struct{}
	counts    Counts
}

// Counts is what the exchange has answered, for tests that must know.
type Counts struct {
	Requests int64 `json:"requests"`
	Limited  int64 `json:"limited"`  // 429.
	Banned   int64 `json:"banned"`   // 418.
	Firewall int64 `json:"firewall"` // 403.
	Sockets  int64 `json:"sockets"`  // Opened so far.
	Orders   int64 `json:"orders"`   // Accepted.
	// Weight is what was used in all windows, by market.
	Weight map[binance.Market]int64 `json:"weight"`
}

// New makes an exchange that trades since Config.Since. It starts nothing.
func New(cfg Config) *Exchange {
	cfg = cfg.withDefaults()
	e := &Exchange{
		cfg:       cfg,
		symbols:   make(map[binance.Market]map[string]*symbol),
		listed:    make(map[binance.Market][]*symbol),
		routes:    make(map[string]*route),
		addresses: make(map[string]*address),
		listen:    make(map[string]*account),
		delisted:  make(map[*symbol]bool),
		live:      make(map[*socket]struct{}),
	}
	e.counts.Weight = make(map[binance.Market]int64)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	for _, m := range []binance.Market{binance.Spot, binance.USDM, binance.COINM} {
		e.symbols[m] = make(map[string]*symbol)
	}
	for _, s := range cfg.Symbols {
		made := e.newSymbol(s)
		e.symbols[s.Market][s.Name] = made
		e.listed[s.Market] = append(e.listed[s.Market], made)
	}
	for _, a := range cfg.Accounts {
		e.accounts = append(e.accounts, e.newAccount(a))
	}
	for _, r := range routes() {
		e.routes[r.method+" "+r.path] = &r
	}
	return e
}

// Close ends all WebSockets and waits for them.
func (e *Exchange) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.sockets.Wait()
}

// Accounts are all accounts with their keys.
func (e *Exchange) Accounts() []Account {
	var all []Account
	for _, a := range e.accounts {
		all = append(all, a.Account)
	}
	return all
}

// Counts is what was answered so far.
func (e *Exchange) Counts() Counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.counts
	c.Weight = make(map[binance.Market]int64)
	for m, w := range e.counts.Weight {
		c.Weight[m] = w
	}
	return c
}

// Now is the exchange's clock.
func (e *Exchange) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now()
}

// now is called with the lock held.
func (e *Exchange) now() time.Time { return e.cfg.Now().Add(e.skew) }

// Handler serves everything. A market has the paths that it has at Binance, so that
// one base URL does for REST; those of streams are told apart by a first part:
//
//	/api /sapi /fapi /dapi               REST
//	/ws-api/v3 /ws-fapi/v1 /ws-dapi/v1   WebSocket APIs
//	/spot/ws /spot/stream                streams of spot; also without /spot
//	/usdm/{public,market,private}/…      streams of USDⓈ-M; also without /usdm
//	/usdm/ws /usdm/stream                those before 2026-04-23
//	/coinm/ws /coinm/stream              streams of COIN-M
//	/sim/…                               the admin API
func (e *Exchange) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, ok := strings.CutPrefix(r.URL.Path, "/sim/"); ok {
			e.admin(w, r, path)
			return
		}
		if m, ok := binance.MarketOfWebSocket(r.URL.Path); ok {
			e.serveSocket(w, r, socketPath{market: m, api: true})
			return
		}
		if p, ok := parseSocketPath(r.URL.Path); ok {
			e.serveSocket(w, r, p)
			return
		}
		e.serveREST(w, r)
	})
}

// symbol is nil for one that the market does not have.
func (e *Exchange) symbol(m binance.Market, name string) *symbol { return e.symbols[m][name] }

// status is what exchangeInfo says of a symbol.
func (e *Exchange) status(s *symbol, at int64) string {
	e.mu.Lock()
	gone := e.delisted[s]
	e.mu.Unlock()
	_, halted := s.tape.halted(at)
	switch {
	case gone && s.Market == binance.Spot:
		return "BREAK"
	case gone:
		return "SETTLING"
	case halted && s.Market == binance.Spot:
		return "HALT"
	case halted:
		return "PENDING_TRADING"
	}
	return "TRADING"
}

// accountOf is the account of a key.
func (e *Exchange) accountOf(key string) *account {
	i := slices.IndexFunc(e.accounts, func(a *account) bool { return a.Key == key })
	if i < 0 {
		return nil
	}
	return e.accounts[i]
}
