package discordtest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// window counts requests from its start on, for its length.
type window struct {
	start time.Time
	used  int
}

// spend counts a request against a limit. It returns how much of the limit is
// left and when the window ends; left is negative if the request is one too many.
func (s *Server) spend(name string, limit int, length time.Duration, now time.Time) (left int, reset time.Time) {
	w := s.windows[name]
	if w == nil || now.Sub(w.start) >= length {
		w = &window{start: now}
		s.windows[name] = w
	}
	reset = w.start.Add(length)
	if w.used >= limit {
		return -1, reset
	}
	w.used++
	return limit - w.used, reset
}

// countInvalid bans the address after too many requests that it should not have
// made. It is called with the lock held.
func (s *Server) countInvalid(r Request) {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
	default:
		return
	}
	if r.Status == http.StatusNotFound && r.Message != "" {
		return // The message is unknown, not the webhook.
	}
	if left, _ := s.spend("invalid", s.opts.MaxInvalid, s.opts.InvalidWindow, r.At); left <= 0 {
		s.bannedTo = r.At.Add(s.opts.InvalidWindow)
	}
}

// banned answers as the guard before Discord does: without Discord's headers or
// JSON.
func (s *Server) banned(w *recorder, now time.Time) bool {
	s.mu.Lock()
	wait := s.bannedTo.Sub(now)
	s.mu.Unlock()
	if wait <= 0 {
		return false
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	w.answer(http.StatusTooManyRequests, "text/plain", []byte("error code: 1015"))
	return true
}

// limited counts the request against all limits and answers if one is exceeded.
func (s *Server) limited(w *recorder, r *http.Request, hook *webhook, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left, reset := s.spend("global", s.opts.Global, time.Second, now); left < 0 {
		w.Header().Set("X-RateLimit-Global", "true")
		w.Header().Set("X-RateLimit-Scope", "global")
		w.tooMany(reset.Sub(now), true, "You are being rate limited.")
		return true
	}
	bucket := "webhook-" + r.Method
	left, reset := s.spend(bucket+" "+hook.ID, s.opts.Burst, s.opts.Window, now)
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.opts.Burst))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(left, 0)))
	h.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(reset.UnixMilli())/1e3))
	h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", reset.Sub(now).Seconds()))
	h.Set("X-RateLimit-Bucket", bucket)
	if left < 0 {
		h.Set("X-RateLimit-Scope", "user")
		w.tooMany(reset.Sub(now), false, "You are being rate limited.")
		return true
	}
	if r.Method != http.MethodPost {
		return false
	}
	if left, reset := s.spend("channel "+hook.ChannelID, s.opts.ChannelBurst, s.opts.ChannelWindow, now); left < 0 {
		h.Set("X-RateLimit-Scope", "shared")
		w.tooMany(reset.Sub(now), false, "The resource is being rate limited.")
		return true
	}
	return false
}
