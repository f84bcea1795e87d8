package binance

import (
	"strconv"
	"strings"
	"time"
)

// The exchange names a limit by its window in the header, X-MBX-USED-WEIGHT-1M and
// X-MBX-ORDER-COUNT-10S; upper and lower case are the same.
const (
	weightPrefix = "X-Mbx-Used-Weight-"
	ordersPrefix = "X-Mbx-Order-Count-"
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

// ReadUsed reads a field of an answer's head. It is false for a field that tells no
// count, or one that is none, like the -1 that was seen on /fapi/v1/trades.
func ReadUsed(name, value string) (u Used, ok bool) {
	u, window, ok := limitOf(name)
	if !ok {
		return Used{}, false
	}
	var counted bool
	u.Count, counted = ParseCount(value)
	u.Window, ok = ParseWindow(window)
	return u, ok && counted
}

func limitOf(name string) (u Used, window string, ok bool) {
	const shortest = len(ordersPrefix)
	if len(name) < shortest || name[0]|0x20 != 'x' {
		return Used{}, "", false
	}
	for _, l := range [...]struct {
		prefix string
		used   Used
	}{
		{weightPrefix, Used{Type: RequestWeight}},
		{ordersPrefix, Used{Type: Orders}},
		{sapiIP, Used{Type: RequestWeight}},
		{sapiUID, Used{Type: RequestWeight, Account: true}},
	} {
		if len(name) > len(l.prefix) && strings.EqualFold(name[:len(l.prefix)], l.prefix) {
			return l.used, name[len(l.prefix):], true
		}
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

// Header is the head of an answer, as net/http and others have it.
type Header interface {
	// Get is the first value of that name, empty if there is none.
	Get(name string) string
}

// RetryAfter is how long an answer asks to wait, 0 if it does not say.
func RetryAfter(h Header) time.Duration {
	n, ok := ParseCount(strings.TrimSpace(h.Get("Retry-After")))
	if !ok {
		return 0
	}
	return time.Duration(min(n, int64(LongestBan/time.Second))) * time.Second
}
