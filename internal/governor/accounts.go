package governor

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// maxAccounts bounds the accounts that are told apart in a market; the others share
// the name "other".
const maxAccounts = 50

const otherLabel = "other"

// accountNames turn API keys into names that may be shown.
type accountNames map[[sha256.Size]byte]string

func newAccountNames(accounts []Account) accountNames {
	names := make(accountNames)
	for _, a := range accounts {
		for _, key := range a.APIKeys {
			names[sha256.Sum256([]byte(key))] = a.Name
		}
	}
	return names
}

// of names the account of a key. Of a key that is not configured a part of its
// hash is shown, which tells keys apart and gives none away.
func (n accountNames) of(key string) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	if name, ok := n[sum]; ok {
		return name
	}
	return "key-" + hex.EncodeToString(sum[:4])
}

// orderBook is what the accounts of a market have used of their orders. It only
// follows what the exchange says: fills give back what an order has taken, which
// nobody can foresee; spot faqs/order_count_decrement.md, 2026-07.
type orderBook struct {
	market binance.Market
	clock  *clock

	mu       sync.Mutex
	limits   []binance.Limit
	accounts map[string]*orderAccount
}

type orderAccount struct {
	windows map[time.Duration]*orderWindow
	// stopped is until when new orders are refused (-1015).
	stopped time.Time
}

// orderWindow is one window of an account by the exchange's clock.
type orderWindow struct {
	index int64
	used  int64
	sent  int64 // Since the exchange last said what is used.
}

// OrderUse is what an account has used in a window.
type OrderUse struct {
	Account string `json:"account"`
	Window  string `json:"window"`
	Used    int64  `json:"used"`
	Limit   int64  `json:"limit"`
}

func newOrderBook(m binance.Market, c *clock) *orderBook {
	return &orderBook{market: m, clock: c, limits: ordersOnly(binance.DefaultLimits(m)), accounts: make(map[string]*orderAccount)}
}

func ordersOnly(all []binance.Limit) (limits []binance.Limit) {
	for _, l := range all {
		if l.Type == binance.Orders {
			limits = append(limits, l)
		}
	}
	return limits
}

func (b *orderBook) setLimits(all []binance.Limit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if limits := ordersOnly(all); len(limits) > 0 {
		b.limits = limits
	}
}

func (b *orderBook) account(name string) *orderAccount {
	a := b.accounts[name]
	if a == nil && len(b.accounts) >= maxAccounts {
		name = otherLabel
		a = b.accounts[name]
	}
	if a == nil {
		a = &orderAccount{windows: make(map[time.Duration]*orderWindow)}
		b.accounts[name] = a
	}
	return a
}

func (a *orderAccount) window(length time.Duration, at time.Time) *orderWindow {
	w := a.windows[length]
	if w == nil {
		w = new(orderWindow)
		a.windows[length] = w
	}
	if index := at.UnixMilli() / length.Milliseconds(); index > w.index {
		*w = orderWindow{index: index}
	}
	return w
}

// stoppedFor is how long an account may place no new orders.
func (b *orderBook) stoppedFor(name string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.accounts[name]; a != nil {
		return max(0, a.stopped.Sub(now))
	}
	return 0
}

// settle takes what an answer to an order says.
func (b *orderBook) settle(name string, cost binance.Cost, used []binance.Used, v binance.Verdict, now time.Time) {
	at := b.clock.now(now)
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.account(name)
	shortest := time.Duration(0)
	for _, l := range b.limits {
		if shortest == 0 || l.Window < shortest {
			shortest = l.Window
		}
	}
	for _, l := range b.limits {
		w := a.window(l.Window, at)
		if v.Kind != binance.Accepted {
			continue
		}
		if l.Window == shortest {
			w.sent += cost.Orders
		} else {
			w.sent += cost.OrdersLong
		}
	}
	for _, u := range used {
		if u.Type == binance.Orders && b.limited(u.Window) {
			w := a.window(u.Window, at)
			w.used, w.sent = u.Count, 0
		}
	}
	if v.Kind == binance.OrdersLimited {
		wait := v.RetryAfter
		if wait == 0 && shortest > 0 {
			end := at.Truncate(shortest).Add(shortest)
			wait = end.Sub(at) + b.clock.guard()
		}
		if until := now.Add(wait); until.After(a.stopped) {
			a.stopped = until
		}
	}
}

// limited bounds the windows by those that the exchange has limits for.
func (b *orderBook) limited(window time.Duration) bool {
	for _, l := range b.limits {
		if l.Window == window {
			return true
		}
	}
	return false
}

// uses are the counts of all accounts in their current windows.
func (b *orderBook) uses(now time.Time) []OrderUse {
	at := b.clock.now(now)
	b.mu.Lock()
	defer b.mu.Unlock()
	all := []OrderUse{}
	for name, a := range b.accounts {
		for _, l := range b.limits {
			w := a.window(l.Window, at)
			all = append(all, OrderUse{name, binance.WindowName(l.Window), w.used + w.sent, l.Count})
		}
	}
	return all
}
