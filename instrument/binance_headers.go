package instrument

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Binance names a limit by its window in the header: X-MBX-USED-WEIGHT-1M and
// X-MBX-ORDER-COUNT-10S, in the form that net/http gives to names.
const (
	weightPrefix = "X-Mbx-Used-Weight-"
	ordersPrefix = "X-Mbx-Order-Count-"
)

// parseWindow reads "10s", "1m", "3h" or "1d", and the longest window is 30 days.
func parseWindow(text string) (seconds int64, ok bool) {
	if len(text) < 2 || len(text) > 5 {
		return 0, false
	}
	n, ok := parseCount(text[:len(text)-1])
	switch text[len(text)-1] {
	case 's', 'S':
		seconds = n
	case 'm', 'M':
		seconds = n * 60
	case 'h', 'H':
		seconds = n * 3600
	case 'd', 'D':
		seconds = n * 86400
	default:
		return 0, false
	}
	return seconds, ok && seconds > 0 && seconds <= 30*86400
}

// parseCount reads a count. -1 was seen on /fapi/v1/trades; it means nothing.
func parseCount(text string) (n int64, ok bool) {
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

// serverTime remembers the last Date header: the same one comes with each answer
// of a second, and parsing it costs more than all the rest.
type serverTime struct{ last atomic.Pointer[parsedDate] }

type parsedDate struct {
	text string
	unix int64
}

// unix is the exchange's time in a header, in seconds, or the fallback, and
// whether it is another second than in the last answer.
func (s *serverTime) unix(h http.Header, fallback time.Time) (unix int64, another bool) {
	date := h["Date"]
	if len(date) != 1 {
		return fallback.Unix(), true
	}
	if last := s.last.Load(); last != nil && last.text == date[0] {
		return last.unix, false
	}
	t, err := http.ParseTime(date[0])
	if err != nil {
		return fallback.Unix(), true
	}
	s.last.Store(&parsedDate{strings.Clone(date[0]), t.Unix()})
	return t.Unix(), true
}

// limitHeader is a header that says how much of a limit is used in a window.
type limitHeader struct {
	name, window string
	orders       bool
}

// documentedHeaders are those of the API docs, 2026-07.
func documentedHeaders() []limitHeader {
	return []limitHeader{
		{weightPrefix + "1m", "1m", false},
		{ordersPrefix + "10s", "10s", true},
		{ordersPrefix + "1m", "1m", true},
		{ordersPrefix + "1d", "1d", true},
	}
}

func parseLimitHeader(name string) (h limitHeader, ok bool) {
	window, ok := strings.CutPrefix(name, weightPrefix)
	if !ok {
		window, h.orders = strings.CutPrefix(name, ordersPrefix)
	}
	if _, valid := parseWindow(window); !valid || !ok && !h.orders {
		return limitHeader{}, false
	}
	h.name = strings.Clone(name)
	h.window = h.name[len(name)-len(window):]
	return h, true
}

// The longest ban that the exchange documents is three days; API docs, 2026-07. A
// header that says more is wrong and must not stop a service for years.
const longestBan = 3 * 24 * time.Hour

// retryAfter is how long the exchange asks to wait, 0 if it does not say.
func retryAfter(h http.Header) time.Duration {
	n, ok := parseCount(strings.TrimSpace(h.Get("Retry-After")))
	if !ok {
		return 0
	}
	return time.Duration(min(n, int64(longestBan/time.Second))) * time.Second
}

// bannedUntil finds the time in "IP banned until 1530000000000." of an error's
// body, which is all that futures say.
func bannedUntil(body string, now time.Time) (time.Time, bool) {
	_, rest, ok := strings.Cut(body, "banned until ")
	if !ok {
		return time.Time{}, false
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	ms, err := strconv.ParseInt(rest[:digits], 10, 64)
	until := time.UnixMilli(ms)
	if err != nil || until.Before(now) {
		return time.Time{}, false
	}
	if until.After(now.Add(longestBan)) {
		until = now.Add(longestBan)
	}
	return until, true
}

// tooManyOrders tells the 429 of an account's orders from that of an address.
func tooManyOrders(body string) bool { return strings.Contains(body, "-1015") }
