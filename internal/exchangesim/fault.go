package exchangesim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	// Silence keeps connections and sends nothing on the streams that match: a gap
	// in a stream, if it ends.
	Silence FaultKind = "silence"
	// Halt stops trading: no trades, no bars, and numbers that go on without a hole.
	Halt FaultKind = "halt"
	// Delist stops the trading of a symbol for good.
	Delist FaultKind = "delist"
	// Drop closes all WebSockets of a market once.
	Drop FaultKind = "drop"
	// Storm answers 429 to everything.
	Storm FaultKind = "storm"
	// Ban bans an address.
	Ban FaultKind = "ban"
	// Firewall blocks an address as the firewall does.
	Firewall FaultKind = "firewall"
	// Region answers 451 to everything.
	Region FaultKind = "region"
	// Unavailable answers 503, and nothing was done.
	Unavailable FaultKind = "unavailable"
	// Lost does what was asked, and answers that it is not known.
	Lost FaultKind = "lost"
	// Break breaks connections instead of an answer.
	Break FaultKind = "break"
	// Latency delays every answer by Amount.
	Latency FaultKind = "latency"
	// Skew puts the exchange's clock forward by Amount, or back. It stays.
	Skew FaultKind = "skew"
	// Maintenance is told by the system status.
	Maintenance FaultKind = "maintenance"
)

// Fault is something that goes wrong. What is empty matches all.
type Fault struct {
	Kind    FaultKind      `json:"kind"`
	Market  binance.Market `json:"market,omitempty"`
	Symbol  string         `json:"symbol,omitempty"`
	Stream  string         `json:"stream,omitempty"`
	Address string         `json:"address,omitempty"`
	// For is how long it lasts, in seconds; 0 until it is cleared.
	For float64 `json:"for,omitempty"`
	// Amount is of Latency and Skew, in seconds.
	Amount float64 `json:"amount,omitempty"`
}

type activeFault struct {
	Fault
	until time.Time // Zero if it has no end.
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Inject makes something go wrong from now on.
func (e *Exchange) Inject(f Fault) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	switch f.Kind {
	case Silence, Storm, Region, Unavailable, Lost, Break, Latency, Maintenance:
		active := activeFault{Fault: f}
		if f.For > 0 {
			active.until = now.Add(seconds(f.For))
		}
		e.faults = append(e.expire(now), active)
	case Skew:
		e.skew += seconds(f.Amount)
	case Ban, Firewall:
		return e.bar(f, now)
	case Drop:
		for s := range e.live {
			if f.Market == "" || s.market == f.Market {
				s.drop()
			}
		}
	case Halt, Delist:
		return e.halt(f, now)
	default:
		return fmt.Errorf("inject fault: no kind is called %q", f.Kind)
	}
	return nil
}

func (e *Exchange) bar(f Fault, now time.Time) error {
	if f.Address == "" {
		return fmt.Errorf("inject %s: say which address", f.Kind)
	}
	a := e.address(f.Address, now)
	if f.Kind == Firewall {
		a.blocked = now.Add(max(seconds(f.For), firewallBlock))
		return nil
	}
	for m, h := range a.hosts {
		if f.Market != "" && m != f.Market {
			continue
		}
		d := seconds(f.For)
		if d == 0 {
			d = nextBan(h.bans)
		}
		h.ban(now, d)
		for s := range e.live {
			if s.ip == f.Address && s.api {
				s.drop() // Connections of the WebSocket API are cut too.
			}
		}
	}
	return nil
}

func (e *Exchange) halt(f Fault, now time.Time) error {
	if f.Kind == Delist && f.Symbol == "" {
		return fmt.Errorf("inject delist: say which symbol")
	}
	from, to := now.UnixMilli(), int64(open)
	if f.For > 0 && f.Kind == Halt {
		to = now.Add(seconds(f.For)).UnixMilli()
	}
	found := false
	for m, all := range e.symbols {
		for name, s := range all {
			if f.Market != "" && m != f.Market || f.Symbol != "" && name != f.Symbol {
				continue
			}
			found = true
			s.tape.halt(from, to)
			if f.Kind == Delist {
				e.delisted[s] = true
			}
		}
	}
	if !found {
		return fmt.Errorf("inject %s: no symbol %q in market %q", f.Kind, f.Symbol, f.Market)
	}
	return nil
}

// Clear ends the faults of a kind, all if it is empty; delisted symbols and bans stay.
func (e *Exchange) Clear(kind FaultKind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if kind == "" || kind == Halt {
		for _, all := range e.symbols {
			for _, s := range all {
				if !e.delisted[s] {
					s.tape.resume(now.UnixMilli())
				}
			}
		}
	}
	if kind == "" || kind == Skew {
		e.skew = 0
	}
	kept := e.faults[:0]
	for _, f := range e.faults {
		if kind != "" && f.Kind != kind {
			kept = append(kept, f)
		}
	}
	e.faults = kept
}

// expire drops faults that have ended. It is called with the lock held, as are the
// functions that follow.
func (e *Exchange) expire(now time.Time) []activeFault {
	kept := e.faults[:0]
	for _, f := range e.faults {
		if f.until.IsZero() || now.Before(f.until) {
			kept = append(kept, f)
		}
	}
	e.faults = kept
	return kept
}

// fault is an active fault of a kind that concerns a request.
func (e *Exchange) fault(kind FaultKind, m binance.Market, ip string, now time.Time) (activeFault, bool) {
	for _, f := range e.expire(now) {
		if f.Kind == kind && (f.Market == "" || f.Market == m) && (f.Address == "" || f.Address == ip) {
			return f, true
		}
	}
	return activeFault{}, false
}

// faulty is the answer that a fault gives.
func (e *Exchange) faulty(q request, now time.Time) *fail {
	m, _ := binance.MarketOf(q.path)
	answers := []struct {
		kind FaultKind
		fail *fail
	}{
		{Break, &fail{}},
		{Region, refuse(http.StatusUnavailableForLegalReasons, 0, "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms.")},
		{Storm, tooMany(time.Duration(60-now.Second())*time.Second, 0, time.Minute)},
		{Unavailable, refuse(http.StatusServiceUnavailable, 0, "Service Unavailable.")},
	}
	for _, a := range answers {
		if _, ok := e.fault(a.kind, m, q.ip, now); !ok {
			continue
		}
		if a.kind == Storm {
			return e.strike(e.address(q.ip, now).hosts[m.Host()], now, a.fail)
		}
		return a.fail
	}
	return nil
}

func (e *Exchange) losesAnswer(q request, now time.Time) bool {
	m, _ := binance.MarketOf(q.path)
	_, lost := e.fault(Lost, m, q.ip, now)
	return lost
}

// silenced says that a stream sends nothing at the moment.
func (e *Exchange) silenced(m binance.Market, stream string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.expire(e.now()) {
		if f.Kind == Silence && (f.Market == "" || f.Market == m) && strings.Contains(stream, f.Stream) &&
			strings.HasPrefix(stream, strings.ToLower(f.Symbol)) {
			return true
		}
	}
	return false
}

// delay waits as long as answers take. Unlike the exchange's clock it is real time.
func (e *Exchange) delay(r *http.Request, q request) error {
	m, _ := binance.MarketOf(q.path)
	e.mu.Lock()
	f, ok := e.fault(Latency, m, q.ip, e.now())
	e.mu.Unlock()
	if !ok {
		return nil
	}
	return pause(r.Context(), seconds(f.Amount))
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
