package binance

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The exchange names a limit by its window in the header, X-MBX-USED-WEIGHT-1M and
// X-MBX-ORDER-COUNT-10S; this is the form that net/http gives to the names.
const (
	weightPrefix = "X-Mbx-Used-Weight-"
	ordersPrefix = "X-Mbx-Order-Count-"
	sapiPrefix   = "X-Sapi-Used-"
	sapiIP       = "X-Sapi-Used-Ip-Weight-"
	sapiUID      = "X-Sapi-Used-Uid-Weight-"
)

// maxWindow is longer than any window that the exchange has.
const maxWindow = 30 * 24 * time.Hour

// Used is what the exchange says was used of a limit in the current window.
type Used struct {
	Type   LimitType
	Window time.Duration
	Count  int64
	// Account is true for a weight that counts by account, as some of /sapi do.
	Account bool
}

// maxUsed bounds what is read from one answer; the exchange sends up to four.
const maxUsed = 8

// ReadUsed appends to used what an answer's headers say. Counts that are none, like
// the -1 that was seen on /fapi/v1/trades, are left out.
func ReadUsed(h http.Header, used []Used) []Used {
	for name, values := range h {
		if len(values) != 1 || !strings.HasPrefix(name, "X-") {
			continue
		}
		u, window, ok := limitOf(name)
		if !ok || len(used) == maxUsed {
			continue
		}
		var counted bool
		u.Count, counted = ParseCount(values[0])
		if u.Window, ok = ParseWindow(window); ok && counted {
			used = append(used, u)
		}
	}
	return used
}

func limitOf(name string) (u Used, window string, ok bool) {
	if window, ok = strings.CutPrefix(name, weightPrefix); ok {
		return Used{Type: RequestWeight}, window, true
	}
	if window, ok = strings.CutPrefix(name, ordersPrefix); ok {
		return Used{Type: Orders}, window, true
	}
	if !strings.HasPrefix(name, sapiPrefix) {
		return Used{}, "", false
	}
	if window, ok = strings.CutPrefix(name, sapiIP); ok {
		return Used{Type: RequestWeight}, window, true
	}
	if window, ok = strings.CutPrefix(name, sapiUID); ok {
		return Used{Type: RequestWeight, Account: true}, window, true
	}
	return Used{}, "", false
}

// ParseWindow reads "10s", "1m", "3h" or "1d", in either case.
func ParseWindow(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 5 {
		return 0, false
	}
	n, ok := ParseCount(text[:len(text)-1])
	unit := time.Duration(0)
	switch text[len(text)-1] {
	case 's', 'S':
		unit = time.Second
	case 'm', 'M':
		unit = time.Minute
	case 'h', 'H':
		unit = time.Hour
	case 'd', 'D':
		unit = 24 * time.Hour
	}
	window := time.Duration(n) * unit
	return window, ok && window > 0 && window <= maxWindow
}

// WindowName is the label of a window: "10s", "1m", "1d".
func WindowName(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// ParseCount reads a count of at most ten digits, and nothing else.
func ParseCount(text string) (n int64, ok bool) {
	if text == "" || len(text) > 10 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// LongestBan is the longest that the exchange documents; API docs, 2026-07. An
// answer that says more is wrong, and must not stop a platform for years.
const LongestBan = 72 * time.Hour

// RetryAfter is how long an answer asks to wait, 0 if it does not say.
func RetryAfter(h http.Header) time.Duration {
	n, ok := ParseCount(strings.TrimSpace(h.Get("Retry-After")))
	if !ok {
		return 0
	}
	return time.Duration(min(n, int64(LongestBan/time.Second))) * time.Second
}
