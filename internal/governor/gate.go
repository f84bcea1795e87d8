package governor

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// gate lets the requests of one market pass, or of one endpoint where endpoints
// have limits of their own. A request passes at once if nothing of its class or a
// higher one waits and there is room; orders and cancels always pass at once.
type gate struct {
	config gateConfig
	clock  *clock
	ledger *ledger

	mu      sync.Mutex
	running bool // Else nothing may wait: nobody would wake it.
	rules   rules
	lanes   []*lane
	queues  [classes]queue
	// wake tells run that something changed; it has one slot.
	wake chan struct{}
}

// rules are the settings of all gates; they change with a reload.
type rules struct {
	shares
	// queueSize bounds what waits in each class, timeout how long.
	queueSize int
	timeout   time.Duration
}

// lane is one way out: an address of ours, with its own budgets.
type lane struct {
	egress *egress
	ban    *ban
	// weight is what the exchange's header tells of; requests has no header, and is
	// nil where there is no such limit.
	weight, requests *budget
	// stopped is until when the exchange asked for silence here (429).
	stopped time.Time
	// slowed is until when it asked for less (-1008), slows how often in a row.
	slowed time.Time
	slows  int
}

// ask is a request as a gate sees it.
type ask struct {
	client string
	class  class
	weight int64 // The worst case.
	// validUntil is when the request stops being valid, by the exchange's clock;
	// zero if it does not say.
	validUntil time.Time
	// gone tells whether nobody wants the answer any more; nil if the context does.
	gone func() bool
}

// lookEvery is between looks at whether the client of a request that waits is gone.
const lookEvery = time.Second

// lease is the right to send one request.
type lease struct {
	gate   *gate
	lane   *lane
	waited time.Duration
	// weights and counts are the budgets that it was taken from; limits that
	// change replace a lane's.
	weights, counts  *budget
	weight, requests reservation
}

// refusal is why a request was not sent.
type refusal struct {
	outcome string // A label: banned, limited, queue_full, deadline, too_heavy.
	retry   time.Duration
	reason  string
}

func (r *refusal) Error() string { return r.reason }

// What a refused client is told, besides how long to wait.
const (
	outcomeBanned   = "banned"
	outcomeLimited  = "limited"
	outcomeFull     = "queue_full"
	outcomeDeadline = "deadline"
	outcomeTooHeavy = "too_heavy"
)

// validMargin is left of a signed request's validity for its way to the exchange.
const validMargin = 250 * time.Millisecond

// acquire waits for the right to send. It returns a *refusal, or the error of ctx.
func (g *gate) acquire(ctx context.Context, a ask) (*lease, error) {
	now := time.Now()
	g.mu.Lock()
	g.ledger.ask(g.clock.now(now), a)
	if r := g.stopped(now); r != nil {
		g.mu.Unlock()
		return nil, r
	}
	if l := g.pass(a, now); l != nil {
		g.mu.Unlock()
		return l, nil
	}
	t, r := g.enqueue(a, now)
	g.mu.Unlock()
	if r != nil {
		return nil, r
	}
	g.kick()
	return g.await(ctx, t)
}

// pass grants a request that need not wait.
func (g *gate) pass(a ask, now time.Time) *lease {
	at := g.clock.now(now)
	if !a.class.urgent() {
		for c := account; c <= a.class; c++ {
			if g.queues[c].length > 0 {
				return nil
			}
		}
	}
	best := g.best(a, now, at)
	if best == nil {
		return nil
	}
	return g.reserve(best, a, now, at)
}

// best is the lane with the most room for a request, nil if none has enough.
func (g *gate) best(a ask, now, at time.Time) *lane {
	var best *lane
	var most int64
	for _, l := range g.lanes {
		if l.silent(now) {
			continue
		}
		l.weight.roll(at)
		room := l.weight.room(a.class, at, g.clock.guard(), g.rules.shares)
		if !a.class.urgent() && !l.fits(a, room, now, at, g) {
			continue
		}
		if best == nil || room > most {
			best, most = l, room
		}
	}
	return best
}

func (l *lane) fits(a ask, room int64, now, at time.Time, g *gate) bool {
	if room < a.weight || l.weight.waits(a.weight) || a.class > account && now.Before(l.slowed) {
		return false
	}
	if l.requests == nil {
		return true
	}
	l.requests.roll(at)
	return l.requests.room(account, at, g.clock.guard(), shares{}) >= 1
}

// silent says that nothing at all may be sent.
func (l *lane) silent(now time.Time) bool {
	return now.Before(l.stopped) || l.ban.active(now)
}

func (g *gate) reserve(l *lane, a ask, now, at time.Time) *lease {
	out := &lease{gate: g, lane: l, weights: l.weight, counts: l.requests}
	out.weight = l.weight.reserve(at, a.weight, a.class)
	if l.requests != nil {
		out.requests = l.requests.reserve(at, 1, a.class)
	}
	return out
}

// stopped returns why nothing can be sent by any lane, nil if something can.
func (g *gate) stopped(now time.Time) *refusal {
	var until time.Time
	banned := false
	for _, l := range g.lanes {
		if !l.silent(now) {
			return nil
		}
		free, ban := l.stopped, false
		if b := l.ban.until(now); b.After(free) {
			free, ban = b, true
		}
		if until.IsZero() || free.Before(until) {
			until, banned = free, ban
		}
	}
	wait := until.Sub(now)
	if banned {
		return &refusal{outcomeBanned, wait, "the exchange has banned this address"}
	}
	return &refusal{outcomeLimited, wait, "the exchange has asked this address to wait"}
}

// enqueue puts a request into its queue, unless that is full or its turn would come
// too late.
func (g *gate) enqueue(a ask, now time.Time) (*ticket, *refusal) {
	q := &g.queues[a.class]
	at := g.clock.now(now)
	deadline := now.Add(g.rules.timeout)
	if !a.validUntil.IsZero() {
		if valid := g.clock.ours(a.validUntil.Add(-validMargin)); valid.Before(deadline) {
			deadline = valid
		}
	}
	turn, ok := g.turn(a, at)
	wait := turn.Sub(at)
	switch {
	case !ok:
		return nil, &refusal{outcomeTooHeavy, 0, fmt.Sprintf("it weighs %d, which is more than the limit leaves", a.weight)}
	case q.length >= g.rules.queueSize || !g.running:
		return nil, &refusal{outcomeFull, wait, "too many requests wait already"}
	case now.Add(wait).After(deadline):
		return nil, &refusal{outcomeDeadline, wait, "its turn would come too late"}
	}
	t := &ticket{ask: a, since: now, deadline: deadline, granted: make(chan *lease, 1)}
	q.push(t)
	return t, nil
}

// turn is when a request will be sent, if all that waits before it goes first, by
// the exchange's clock. It is false if that is never.
func (g *gate) turn(a ask, at time.Time) (time.Time, bool) {
	var first time.Time
	ahead := a.weight
	for c := account; c <= a.class; c++ {
		ahead += g.queues[c].weight
	}
	if !g.config.byAccount {
		ahead /= int64(len(g.lanes))
	}
	possible := false
	for _, l := range g.lanes {
		b := l.weight
		b.roll(at)
		full := int64((1 - floor) * float64(b.limit))
		if a.weight > full {
			continue
		}
		possible = true
		when, now := b.opens(a.class, max(ahead, a.weight), at, g.clock.guard(), g.rules.shares)
		if !now {
			// Whole windows for what waits before, and the beginning of the next.
			when = when.Add(time.Duration(ahead/max(full, 1)) * b.length)
		}
		if first.IsZero() || when.Before(first) {
			first = when
		}
	}
	return first, possible
}

// await waits for a ticket's turn.
func (g *gate) await(ctx context.Context, t *ticket) (*lease, error) {
	gone := t.ask.gone
	var looks <-chan time.Time
	if gone != nil {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		looks = ticker.C
	}
	for wanted := true; wanted; {
		select {
		case l := <-t.granted:
			if l == nil {
				return nil, g.expired(t)
			}
			if gone != nil && gone() {
				l.cancel()
				return nil, context.Canceled
			}
			l.waited = time.Since(t.since)
			return l, nil
		case <-looks:
			wanted = !gone()
		case <-ctx.Done():
			wanted = false
		}
	}
	g.mu.Lock()
	granted := t.done
	if !granted {
		t.done = true
		g.queues[t.ask.class].remove(t)
	}
	g.mu.Unlock()
	if granted {
		if l := <-t.granted; l != nil {
			l.cancel()
		}
	}
	return nil, cmp.Or(ctx.Err(), context.Canceled)
}

func (g *gate) expired(t *ticket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if r := g.stopped(now); r != nil {
		return r
	}
	at := g.clock.now(now)
	turn, _ := g.turn(t.ask, at)
	return &refusal{outcomeDeadline, max(turn.Sub(at), time.Second), "its turn did not come in time"}
}

func (g *gate) kick() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// run grants what waits, as room appears, until ctx ends.
func (g *gate) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	g.mu.Lock()
	g.running = true
	g.mu.Unlock()
	for {
		g.mu.Lock()
		next := g.dispatch(time.Now())
		g.mu.Unlock()
		timer.Reset(next)
		select {
		case <-ctx.Done():
			g.giveUp()
			return
		case <-g.wake:
		case <-timer.C:
		}
	}
}

// giveUp ends all waiting.
func (g *gate) giveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = false
	for c := range g.queues {
		q := &g.queues[c]
		for len(q.clients) > 0 {
			t := q.take(q.clients[0], 0, false)
			t.done = true
			t.granted <- nil
		}
	}
}

// dispatch grants all that has room, highest class first, and returns when to look
// again.
func (g *gate) dispatch(now time.Time) time.Duration {
	at := g.clock.now(now)
	next := time.Hour
	look := func(in time.Duration) { next = min(next, max(in, time.Millisecond)) }
	for c := account; c < classes; c++ {
		q := &g.queues[c]
		g.expire(q, now, look)
		if g.serve(q, now, at, look) {
			break // What is less urgent must not take the room that this waits for.
		}
	}
	return next
}

// expire gives up what has waited too long.
func (g *gate) expire(q *queue, now time.Time, look func(time.Duration)) {
	for i := len(q.clients) - 1; i >= 0; i-- {
		c := q.clients[i]
		for j := len(c.waiting) - 1; j >= 0; j-- {
			t := c.waiting[j]
			if left := t.deadline.Sub(now); left > 0 {
				look(left)
				continue
			}
			q.take(c, j, false)
			t.done = true
			t.granted <- nil
		}
	}
}

// serve grants what fits, and says whether the class waits for room that will
// appear in this window. What must wait for the next window lets others pass.
func (g *gate) serve(q *queue, now, at time.Time, look func(time.Duration)) (waits bool) {
	for {
		q.order()
		granted := false
		for _, c := range q.clients {
			t := c.waiting[0]
			if l := g.best(t.ask, now, at); l != nil {
				q.take(c, 0, true)
				t.done = true
				t.granted <- g.reserve(l, t.ask, now, at)
				granted = true
				break
			}
			in, soon := g.soon(t.ask, now, at)
			look(in)
			if soon {
				return true
			}
		}
		if !granted {
			return false
		}
	}
}

// soon is in how long a request that has no room now may have it, and whether that
// is in this window.
func (g *gate) soon(a ask, now, at time.Time) (time.Duration, bool) {
	first, soon := time.Hour, false
	for _, l := range g.lanes {
		if l.silent(now) {
			until := l.stopped
			if ban := l.ban.until(now); ban.After(until) {
				until = ban
			}
			first = min(first, until.Sub(now))
			continue
		}
		when, now1 := l.weight.opens(a.class, a.weight, at, g.clock.guard(), g.rules.shares)
		in := when.Sub(at)
		if a.class > account {
			in = max(in, l.slowed.Sub(now))
		}
		if now1 && l.weight.waits(a.weight) {
			in = time.Second // An answer will come before, and wake us.
		}
		if l.requests != nil && l.requests.room(account, at, g.clock.guard(), shares{}) < 1 {
			in, now1 = max(in, l.requests.startOf(l.requests.cur.index+1).Sub(at)), false
		}
		first, soon = min(first, in), soon || now1
	}
	return first, soon
}

// settle ends a lease with what became of its request.
func (l *lease) settle(s settlement) (believed bool) {
	g := l.gate
	g.mu.Lock()
	s.at = g.clock.now(s.at)
	believed = l.weights.settle(l.weight, s)
	if l.counts != nil {
		l.counts.settle(l.requests, settlement{at: s.at, cost: 1, header: -1})
	}
	waiting := false
	for c := range g.queues {
		waiting = waiting || g.queues[c].length > 0
	}
	g.mu.Unlock()
	if waiting {
		g.kick()
	}
	return believed
}

// cancel ends a lease whose request was never sent.
func (l *lease) cancel() {
	g := l.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.clock.now(time.Now())
	l.weights.settle(l.weight, settlement{at: at, header: -1})
	if l.counts != nil {
		l.counts.settle(l.requests, settlement{at: at, header: -1})
	}
}

// stop keeps a lane silent after a 429, until the exchange says or the window ends.
func (g *gate) stop(l *lane, wait time.Duration, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait == 0 {
		at := g.clock.now(now)
		end := l.weight.startOf(l.weight.index(at) + 1)
		wait = end.Sub(at) + g.clock.guard()
	}
	until := now.Add(wait)
	for _, other := range g.lanes {
		if (other == l || g.config.byAccount) && until.After(other.stopped) {
			other.stopped = until
		}
	}
}

// The pause of readings while the exchange is overloaded doubles with each answer
// that says so.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// slow pauses readings after a -1008.
func (g *gate) slow(l *lane, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case now.Before(l.slowed):
		return // Requests that were on their way together are one answer.
	case now.Sub(l.slowed) > longestPause:
		l.slows = 0
	}
	l.slowed = now.Add(min(firstPause<<min(l.slows, 5), longestPause))
	l.slows++
}

// forgetForeign starts to measure anew what others use.
func (g *gate) forgetForeign() {
	g.mu.Lock()
	for _, l := range g.lanes {
		l.weight.forgetForeign()
	}
	g.mu.Unlock()
	g.kick()
}

// counted is the exchange's count of what this gate limits, -1 if the answer does not
// tell. An endpoint of /sapi may tell the address's and the account's.
func (l *lease) counted(used []binance.Used) int64 {
	count, other := int64(-1), int64(-1)
	for _, u := range used {
		switch {
		case u.Type != binance.RequestWeight || u.Window != l.weights.length:
		case u.Account == l.gate.config.byAccount:
			count = u.Count
		case u.Account:
			other = u.Count
		}
	}
	if count < 0 && other >= 0 {
		l.gate.perAccount()
		count = other
	}
	return count
}

// perAccount raises the limit of a /sapi endpoint that turns out to count by
// account.
func (g *gate) perAccount() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.lanes {
		l.weight.limit = max(l.weight.limit, binance.SAPIPerAccount)
	}
}

// spent enters a request into the ledger.
func (g *gate) spent(now time.Time, c *call, cost int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ledger.spend(g.clock.now(now), c.class, caller{c.client, c.endpoint}, cost)
}

func (g *gate) setRules(r rules) {
	g.mu.Lock()
	g.rules = r
	g.mu.Unlock()
	g.kick()
}

// setLimits makes the exchange's own limits current, and says whether they are
// others than before. A window of another length starts a new count.
func (g *gate) setLimits(limits []binance.Limit) (changed bool) {
	g.mu.Lock()
	for _, limit := range limits {
		for _, l := range g.lanes {
			b := &l.weight
			if limit.Type == binance.RawRequests {
				b = &l.requests
			}
			if limit.Type != binance.RequestWeight && limit.Type != binance.RawRequests || *b == nil {
				continue
			}
			changed = changed || (*b).limit != limit.Count || (*b).length != limit.Window
			*b = (*b).withLimit(limit)
		}
	}
	g.mu.Unlock()
	g.kick()
	return changed
}
