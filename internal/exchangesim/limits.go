package exchangesim

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// window counts in fixed windows, which begin at whole multiples of their length by
// the exchange's UTC clock; API docs, web-socket-api.md, 2026-07.
type window struct {
	length time.Duration
	index  int64
	used   int64
}

func (w *window) roll(now time.Time) *window {
	if index := now.UnixMilli() / w.length.Milliseconds(); index != w.index {
		w.index, w.used = index, 0
	}
	return w
}

// left is how long the window lasts.
func (w *window) left(now time.Time) time.Duration {
	return time.UnixMilli((w.index + 1) * w.length.Milliseconds()).Sub(now)
}

// limited is a window with its limit.
type limited struct {
	window
	binance.Limit
}

func newLimited(limits []binance.Limit, t binance.LimitType) []*limited {
	var all []*limited
	for _, l := range limits {
		if l.Type == t {
			all = append(all, &limited{window{length: l.Window}, l})
		}
	}
	return all
}

// address is what the exchange knows of an IP. The lock of Exchange guards it.
type address struct {
	hosts    map[binance.Market]*host
	sapi     map[string]*window
	funding  window
	connects window
	second   window
	blocked  time.Time // By the firewall.
	seen     time.Time
}

// host is what one of the exchange's hosts knows of an address.
type host struct {
	weight, raw []*limited
	until       time.Time // Of the ban.
	strikes     int       // Answers 429 since the last ban.
	bans        int
	struck      time.Time
}

// What the documents say of bans: from 2 minutes to 3 days, longer for who repeats.
const (
	firstBan   = 2 * time.Minute
	longestBan = 72 * time.Hour
	banGrowth  = 4
	// forgiven is how long ago a ban must be to count no more; not documented.
	forgiven = 72 * time.Hour
	// firewallBlock is how long a 403 lasts; support article 360004492232.
	firewallBlock = 5 * time.Minute
	// sapiLimit of an endpoint that counts by IP.
	sapiLimit = 12_000
	// sapiAccountLimit of an endpoint that counts by account; docs of binance-connector-js,
	// 2026-07-24.
	sapiAccountLimit = 180_000
	// fundingLimit is shared by fundingRate and fundingInfo in 5 minutes.
	fundingLimit = 500
)

// address is called with the lock held. It forgets addresses that were not seen
// for days.
func (e *Exchange) address(ip string, now time.Time) *address {
	const enough = 10_000
	if len(e.addresses) >= enough {
		for name, a := range e.addresses {
			if now.Sub(a.seen) > forgiven {
				delete(e.addresses, name)
			}
		}
	}
	a := e.addresses[ip]
	if a == nil {
		a = &address{
			hosts: make(map[binance.Market]*host), sapi: make(map[string]*window),
			funding: window{length: 5 * time.Minute}, connects: window{length: 5 * time.Minute}, second: window{length: time.Second},
		}
		for m, limits := range e.cfg.Limits {
			a.hosts[m] = &host{weight: newLimited(limits, binance.RequestWeight), raw: newLimited(limits, binance.RawRequests)}
		}
		e.addresses[ip] = a
	}
	a.seen = now
	return a
}

// fail is an answer that is no success.
type fail struct {
	status, code int
	msg          string
	html         bool
	retry        time.Duration
}

func refuse(status, code int, msg string, args ...any) *fail {
	return &fail{status: status, code: code, msg: fmt.Sprintf(msg, args...)}
}

// barred is what stops an address before its request is looked at.
func (a *address) barred(h *host, now time.Time) *fail {
	if now.Before(a.blocked) {
		return &fail{status: http.StatusForbidden, html: true}
	}
	if now.Before(h.until) {
		f := refuse(http.StatusTeapot, -1003, "Way too much request weight used; IP banned until %d. Please use WebSocket Streams for live updates to avoid bans.", h.until.UnixMilli())
		f.retry = h.until.Sub(now)
		return f
	}
	return nil
}

// charge counts a request, refused ones too: counters go on past the limit.
func (e *Exchange) charge(a *address, h *host, r *route, weight int64, now time.Time) *fail {
	if a.second.roll(now).used++; a.second.used > int64(e.cfg.Burst) {
		a.blocked = now.Add(firewallBlock)
		e.counts.Firewall++
		return &fail{status: http.StatusForbidden, html: true}
	}
	if r.uid {
		return nil // It counts when the account is known.
	}
	if r.market == binance.SAPI {
		// Always 429, never a ban; developers.binance.com, 2026.
		w := a.sapi[r.path]
		if w == nil {
			w = &window{length: time.Minute}
			a.sapi[r.path] = w
		}
		if w.roll(now).used += weight; w.used > sapiLimit {
			return tooMany(w.left(now), sapiLimit, w.length)
		}
		return nil
	}
	for _, l := range h.raw {
		if l.roll(now).used++; l.used > l.Count {
			return e.strike(h, now, tooMany(l.left(now), l.Count, l.length))
		}
	}
	if r.funding {
		if a.funding.roll(now).used++; a.funding.used > fundingLimit {
			return e.strike(h, now, tooMany(a.funding.left(now), fundingLimit, a.funding.length))
		}
	}
	e.counts.Weight[r.market] += weight
	for _, l := range h.weight {
		if l.roll(now).used += weight; l.used > l.Count {
			return e.strike(h, now, tooMany(l.left(now), l.Count, l.length))
		}
	}
	return nil
}

// countAccount counts a request of an endpoint of /sapi that has a limit by account.
func (c *call) countAccount(r *route, weight int64) *fail {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.account.sapi[r.path]
	if w == nil {
		w = &window{length: time.Minute}
		c.account.sapi[r.path] = w
	}
	c.weighed = w
	if w.roll(c.at).used += weight; w.used > sapiAccountLimit {
		return tooMany(w.left(c.at), sapiAccountLimit, w.length)
	}
	return nil
}

func tooMany(wait time.Duration, limit int64, length time.Duration) *fail {
	f := refuse(http.StatusTooManyRequests, -1003, "Too much request weight used; current limit is %d request weight per %s. Please use WebSocket Streams for live updates to avoid polling the API.",
		limit, strings.ToUpper(binance.WindowName(length)))
	f.retry = wait
	return f
}

// strike counts a 429; who goes on is banned.
func (e *Exchange) strike(h *host, now time.Time, f *fail) *fail {
	if now.Sub(h.struck) > forgiven {
		h.strikes, h.bans = 0, 0
	}
	h.struck = now
	if h.strikes++; h.strikes > e.cfg.Strikes {
		h.ban(now, nextBan(h.bans))
	}
	return f
}

func nextBan(before int) time.Duration {
	d := firstBan
	for range before {
		d = min(d*banGrowth, longestBan)
	}
	return d
}

func (h *host) ban(now time.Time, d time.Duration) {
	h.until, h.strikes = now.Add(d), 0
	h.bans++
	h.struck = now
}

// refund takes back what a success does not cost.
func (e *Exchange) refund(h *host, m binance.Market, weight int64, now time.Time) {
	e.counts.Weight[m] -= weight
	for _, l := range h.weight {
		l.roll(now).used -= min(weight, l.used)
	}
}

// usedHeaders tells what the address has used.
func usedHeaders(header http.Header, a *address, h *host, r *route, now time.Time) {
	if r != nil && r.market == binance.SAPI {
		if w := a.sapi[r.path]; w != nil {
			header.Set("X-Sapi-Used-Ip-Weight-1m", fmt.Sprint(w.roll(now).used))
		}
		return
	}
	for _, l := range h.weight {
		used := fmt.Sprint(l.roll(now).used)
		header.Set("X-Mbx-Used-Weight-"+binance.WindowName(l.length), used)
		header.Set("X-Mbx-Used-Weight", used)
	}
}
