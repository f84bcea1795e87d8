package discord

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Limits is what Discord has said about how fast it may be asked. All senders of
// a process share one, because receivers may share a webhook, and the global
// limit is that of the address. Its zero value is not usable; see [NewLimits].
//
// Nothing here is assumed beforehand: the documents forbid to rely on any
// number. https://docs.discord.com/developers/topics/rate-limits, 2026-06.
type Limits struct {
	mu     sync.Mutex
	global time.Time // Nothing may be asked before.
	// routes has the bucket that Discord named for a method of a webhook.
	routes  map[route]string
	buckets map[bucketKey]*bucket
}

// route is a method of a webhook, to which a limit applies. The webhook is the
// top-level resource: each has limits of its own under the same bucket name.
type route struct{ webhook, method string }

type bucketKey struct{ webhook, name string }

// bucket allows limit requests until reset, of which remaining are left.
type bucket struct {
	limit, remaining int
	reset            time.Time
}

// maxRoutes bounds the memory for webhooks, which a rotated file may multiply.
const maxRoutes = 1000

// NewLimits knows of no limit yet.
func NewLimits() *Limits {
	return &Limits{routes: make(map[route]string), buckets: make(map[bucketKey]*bucket)}
}

// take asks for one request. It returns how long to wait if it must not be made
// now; otherwise the request counts.
func (l *Limits) take(r route, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.global.Sub(now); wait > 0 {
		return wait
	}
	b := l.buckets[l.key(r)]
	if b == nil {
		return 0
	}
	if !now.Before(b.reset) {
		b.remaining = b.limit
	}
	if b.limit > 0 && b.remaining <= 0 {
		return b.reset.Sub(now)
	}
	b.remaining--
	return 0
}

func (l *Limits) key(r route) bucketKey {
	if name, ok := l.routes[r]; ok {
		return bucketKey{r.webhook, name}
	}
	return bucketKey{r.webhook, r.method}
}

// learn takes in an answer. It returns the pause that Discord asks for if the
// answer is a 429.
func (l *Limits) learn(r route, a receiver.Answer, now time.Time) (pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	if name := a.Header.Get("X-RateLimit-Bucket"); name != "" && len(name) < 100 {
		l.routes[r] = name
	}
	key := l.key(r)
	b := l.buckets[key]
	if b == nil {
		b = &bucket{}
		l.buckets[key] = b
	}
	if limit, remaining, after, ok := limitHeaders(a.Header, now); ok {
		b.update(limit, remaining, now.Add(after))
	}
	if a.Status != http.StatusTooManyRequests {
		return 0
	}
	pause, global := retryAfter(a, now)
	if until := now.Add(pause); global && until.After(l.global) {
		l.global = until
	} else if !global {
		// The bucket may have had room: another limit, of the channel, has not.
		b.limit, b.remaining, b.reset = max(b.limit, 1), 0, until
	}
	return pause
}

func (b *bucket) update(limit, remaining int, reset time.Time) {
	// Answers overtake each other; in one window the smaller number is newer.
	sameWindow := reset.Sub(b.reset).Abs() < 100*time.Millisecond
	if sameWindow {
		remaining = min(remaining, b.remaining)
	} else if reset.Before(b.reset) {
		return
	}
	b.limit, b.remaining, b.reset = limit, remaining, reset
}

// forget drops what has no effect any more once there is much of it.
func (l *Limits) forget(now time.Time) {
	if len(l.routes)+len(l.buckets) < 2*maxRoutes {
		return
	}
	for key, b := range l.buckets {
		if b.reset.Before(now) {
			delete(l.buckets, key)
		}
	}
	clear(l.routes)
}

// limitHeaders reads X-RateLimit-*; Reset-After is preferred to Reset, which
// depends on the clocks.
func limitHeaders(h http.Header, now time.Time) (limit, remaining int, after time.Duration, ok bool) {
	limit, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if err != nil || limit < 1 {
		return 0, 0, 0, false
	}
	remaining, err = strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if err != nil || remaining < 0 {
		return 0, 0, 0, false
	}
	seconds, err := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err != nil {
		at, err := strconv.ParseFloat(h.Get("X-RateLimit-Reset"), 64)
		if err != nil {
			return 0, 0, 0, false
		}
		seconds = max(at-float64(now.UnixMilli())/1e3, 0)
	}
	after, ok = receiver.Pause(seconds)
	return limit, remaining, after, ok
}

// unknownPause follows a 429 that does not say how long.
const unknownPause = 30 * time.Second

// retryAfter reads a 429. Where the body is not Discord's JSON, it comes from
// the guard before it, which bans the address; that concerns all webhooks.
func retryAfter(a receiver.Answer, now time.Time) (pause time.Duration, global bool) {
	var body struct {
		RetryAfter *float64 `json:"retry_after"`
		Global     bool     `json:"global"`
	}
	bad := json.Unmarshal(a.Body, &body) != nil || body.RetryAfter == nil
	global = body.Global || bad || a.Header.Get("X-RateLimit-Global") == "true" || a.Header.Get("X-RateLimit-Scope") == "global"
	if !bad {
		if pause, ok := receiver.Pause(*body.RetryAfter); ok {
			return pause, global
		}
	}
	if pause, ok := receiver.RetryAfter(a.Header, now); ok {
		return pause, global
	}
	return unknownPause, global
}
