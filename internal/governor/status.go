package governor

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Status is what the governor knows now.
type Status struct {
	// Listen is the address that services use, empty before it is bound.
	Listen      string         `json:"listen,omitempty"`
	WeightTable string         `json:"weightTable"`
	Markets     []MarketStatus `json:"markets"`
	// Endpoints are limits that are not a market's, as far as they are used in the
	// current window; the most used part first.
	Endpoints []EndpointStatus `json:"endpoints"`
	// Sockets are the open connections to the exchange's WebSocket APIs, at most 50.
	Sockets []SocketStatus `json:"sockets"`
}

// EndpointStatus is the limit of one endpoint of /sapi, of the funding rates of
// futures, or of connections to a WebSocket API.
type EndpointStatus struct {
	Market binance.Market `json:"market"`
	// Endpoint is a method and a path, or "funding" or "connections".
	Endpoint string `json:"endpoint"`
	// By is address or account: whose limit it is. It is Name's.
	By           string  `json:"by"`
	Name         string  `json:"name"`
	Used         int64   `json:"used"`
	Limit        int64   `json:"limit"`
	Window       string  `json:"window"`
	WindowEndsIn float64 `json:"windowEndsInSeconds"`
	Queued       int     `json:"queued"`
}

// MarketStatus is one market's limits and who uses them.
type MarketStatus struct {
	Market binance.Market `json:"market"`
	Limit  int64          `json:"limit"`
	Window string         `json:"window"`
	// LimitsRead is when the exchange told its limits; without it the documented
	// ones hold.
	LimitsRead *time.Time `json:"limitsRead,omitempty"`
	// ClockOffset is the exchange's time less ours, in seconds.
	ClockOffset *float64       `json:"clockOffsetSeconds,omitempty"`
	Egress      []EgressStatus `json:"egress"`
	// Queued is how many requests wait, by priority.
	Queued      map[string]int `json:"queued"`
	Orders      []OrderUse     `json:"orders"`
	OrderLimits []OrderLimit   `json:"orderLimits"`
	// Callers are the heaviest of this minute and the last one.
	Callers []Caller `json:"callers"`
	// Drifts are prices of the weight table that the exchange does not keep to.
	Drifts []Drift `json:"drifts"`
}

// OrderLimit is how many orders an account may have in a window.
type OrderLimit struct {
	Window string `json:"window"`
	Limit  int64  `json:"limit"`
}

// Drift is how much more an endpoint costs than the table says.
type Drift struct {
	Endpoint  string `json:"endpoint"`
	Condition string `json:"condition,omitempty"`
	More      int64  `json:"more"`
}

// EgressStatus is what one address has used of the current window.
type EgressStatus struct {
	Name string `json:"name"`
	// Used is the most that may be used by now: InFlight is not settled yet, and
	// at least Foreign was used by somebody who bypasses the governor.
	Used     int64 `json:"used"`
	InFlight int64 `json:"inFlight"`
	Foreign  int64 `json:"foreign"`
	// Projected is what will be used at the window's end at the present rate.
	Projected int64 `json:"projected"`
	// ExhaustedIn is in how many seconds the limit is used up at the present rate;
	// absent if the window ends before.
	ExhaustedIn  *float64 `json:"exhaustedInSeconds,omitempty"`
	WindowEndsIn float64  `json:"windowEndsInSeconds"`
	// Requests is the limit of the number of requests; absent if the market has none.
	Requests *RequestsStatus `json:"requests,omitempty"`
	// Priorities are what each class has used of the window, and may still use now.
	Priorities  map[string]PriorityStatus `json:"priorities"`
	BannedUntil *time.Time                `json:"bannedUntil,omitempty"`
	BanKind     string                    `json:"banKind,omitempty"`
	// Bans is how many there were in three days.
	Bans         int        `json:"bans,omitempty"`
	BackoffUntil *time.Time `json:"backoffUntil,omitempty"`
}

// RequestsStatus is how many requests one address has sent, whatever they weigh.
type RequestsStatus struct {
	Used         int64   `json:"used"`
	Limit        int64   `json:"limit"`
	Window       string  `json:"window"`
	WindowEndsIn float64 `json:"windowEndsInSeconds"`
}

// PriorityStatus is a class of requests in the current window.
type PriorityStatus struct {
	Used int64 `json:"used"`
	// Room is what the class may use at once; more of it opens until the window ends.
	Room int64 `json:"room"`
}

// heaviest is how many callers are shown.
const heaviest = 20

// Status says what is used, by whom, and where that leads.
func (g *Governor) Status() Status {
	now := time.Now()
	s := Status{WeightTable: g.setup.Load().table.Version()}
	if addr := g.Addr(); addr != nil {
		s.Listen = addr.String()
	}
	for _, m := range []binance.Market{binance.Spot, binance.USDM, binance.COINM} {
		ms := g.market(m).status(now)
		f := g.refresher.markets[m]
		f.mu.Lock()
		if !f.limitsRead.IsZero() {
			ms.LimitsRead = new(f.limitsRead)
		}
		f.mu.Unlock()
		if offset, ok := g.clocks[m].offset(); ok {
			ms.ClockOffset = new(offset.Seconds())
		}
		ms.Orders = g.orders[m].uses(now)
		ms.OrderLimits = g.orders[m].shownLimits()
		ms.Drifts = []Drift{}
		for _, d := range g.lessons[m].drifts() {
			if d.more != 0 {
				ms.Drifts = append(ms.Drifts, Drift{d.endpoint, d.when, d.more})
			}
		}
		s.Markets = append(s.Markets, ms)
	}
	s.Endpoints = g.endpoints(now)
	s.Sockets = g.sockets.status()
	return s
}

// maxEndpointsShown bounds what is shown of the limits of endpoints.
const maxEndpointsShown = 50

func (g *Governor) endpoints(now time.Time) []EndpointStatus {
	g.mu.RLock()
	gates := slices.Collect(maps.Values(g.gates))
	g.mu.RUnlock()
	all := []EndpointStatus{}
	for _, gate := range gates {
		if gate.config.endpoint != "" {
			all = append(all, gate.endpointStatus(now)...)
		}
	}
	slices.SortFunc(all, func(a, b EndpointStatus) int {
		return cmp.Or(
			cmp.Compare(float64(b.Used)/float64(b.Limit), float64(a.Used)/float64(a.Limit)),
			cmp.Compare(a.Market, b.Market), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Name, b.Name),
		)
	})
	return all[:min(len(all), maxEndpointsShown)]
}

func (g *gate) endpointStatus(now time.Time) (all []EndpointStatus) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.clock.now(now)
	queued := 0
	for c := range g.queues {
		queued += g.queues[c].length
	}
	for _, l := range g.lanes {
		b := l.weight
		b.roll(at)
		s := EndpointStatus{
			Market: g.config.market, Endpoint: g.config.endpoint, By: "address", Name: l.egress.name,
			Used: b.used(&b.cur), Limit: b.limit, Window: binance.WindowName(b.length),
			WindowEndsIn: b.startOf(b.cur.index + 1).Sub(at).Seconds(), Queued: queued,
		}
		if g.config.byAccount {
			s.By, s.Name = "account", g.config.account
		}
		if s.Used > 0 || s.Queued > 0 {
			all = append(all, s)
		}
		if g.config.byAccount {
			break // All lanes have the same budget.
		}
	}
	return all
}

func (g *gate) status(now time.Time) MarketStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.clock.now(now)
	first := g.lanes[0].weight
	s := MarketStatus{
		Market: g.config.market, Limit: first.limit, Window: binance.WindowName(first.length),
		Queued: make(map[string]int), Callers: g.ledger.heavy(at, heaviest),
	}
	for c := account; c < classes; c++ {
		s.Queued[c.String()] = g.queues[c].length
	}
	for _, l := range g.lanes {
		s.Egress = append(s.Egress, g.laneStatus(l, now, at))
	}
	return s
}

func (g *gate) laneStatus(l *lane, now, at time.Time) EgressStatus {
	b := l.weight
	b.roll(at)
	s := EgressStatus{
		Name: l.egress.name, Used: b.used(&b.cur), InFlight: b.inflight, Foreign: b.cur.foreign.total,
		WindowEndsIn: b.startOf(b.cur.index + 1).Sub(at).Seconds(), Priorities: make(map[string]PriorityStatus),
	}
	for c := range classes {
		room := max(0, b.room(c, at, g.clock.guard(), g.rules.shares))
		s.Priorities[c.String()] = PriorityStatus{Used: b.cur.classes[c], Room: room}
	}
	if r := l.requests; r != nil {
		r.roll(at)
		s.Requests = &RequestsStatus{r.used(&r.cur), r.limit, binance.WindowName(r.length), r.startOf(r.cur.index + 1).Sub(at).Seconds()}
	}
	rate := b.rate(at)
	s.Projected = s.Used + int64(rate*s.WindowEndsIn)
	if left := float64(b.limit - s.Used); left <= 0 {
		s.ExhaustedIn = new(0.0)
	} else if in := left / rate; rate > 0 && in < s.WindowEndsIn {
		s.ExhaustedIn = new(in)
	}
	if until := l.ban.until(now); !until.IsZero() {
		s.BannedUntil = &until
	}
	if state := l.ban.state.Load(); state != nil && now.Sub(state.Until) < banMemory {
		s.BanKind, s.Bans = state.Kind, state.Count
	}
	if now.Before(l.stopped) {
		s.BackoffUntil = new(l.stopped)
	}
	return s
}

func (b *orderBook) shownLimits() []OrderLimit {
	b.mu.Lock()
	defer b.mu.Unlock()
	limits := make([]OrderLimit, 0, len(b.limits))
	for _, l := range b.limits {
		limits = append(limits, OrderLimit{binance.WindowName(l.Window), l.Count})
	}
	return limits
}

// WhatIf asks what recorded traffic would have been like.
type WhatIf struct {
	Market binance.Market
	// Growth multiplies what everybody but backfill asked for.
	Growth float64
}

// WhatIfAnswer says which share of its requests backfill would have had to give up.
type WhatIfAnswer struct {
	Market  binance.Market `json:"market"`
	Growth  float64        `json:"growth"`
	Minutes int            `json:"minutes"`
	// Over is in how many minutes all wanted more than the limit.
	Over int `json:"over"`
	// GiveUp is the share over all minutes, WorstMinute that of the worst one,
	// from 0 to 1.
	GiveUp      float64 `json:"giveUp"`
	WorstMinute float64 `json:"worstMinute"`
	// Short is in how many minutes the others would not have fitted even without
	// backfill.
	Short int `json:"short"`
}

// WhatIf answers from what was asked in the last hour, whether it was served or not.
func (g *Governor) WhatIf(q WhatIf) WhatIfAnswer {
	gate := g.market(q.Market.Host())
	gate.mu.Lock()
	defer gate.mu.Unlock()
	budget := int64(0)
	for _, l := range gate.lanes {
		budget += int64(float64(l.weight.limit) * (1 - floor))
	}
	minutes := slices.Clone(gate.ledger.minutes[:])
	return whatIf(q, minutes, float64(budget))
}

func whatIf(q WhatIf, minutes []ledgerMinute, budget float64) WhatIfAnswer {
	a := WhatIfAnswer{Market: q.Market, Growth: q.Growth}
	wanted, cut := 0.0, 0.0
	for _, m := range minutes {
		others, fill := 0.0, float64(m.asked[backfill])
		for c := cancels; c < backfill; c++ {
			others += float64(m.asked[c]) * q.Growth
		}
		if others+fill == 0 {
			continue
		}
		a.Minutes++
		if others > budget {
			a.Short++
		}
		over := others + fill - budget
		if over <= 0 {
			wanted += fill
			continue
		}
		a.Over++
		wanted += fill
		cut += min(over, fill)
		if fill > 0 {
			a.WorstMinute = max(a.WorstMinute, min(over, fill)/fill)
		}
	}
	if wanted > 0 {
		a.GiveUp = cut / wanted
	}
	return a
}
