package binance

import (
	"strconv"
	"time"
)

// The window in which a signed request is valid; API docs, 2026-07.
const (
	defaultRecvWindow = 5 * time.Second
	maxRecvWindow     = time.Minute
)

// ValidUntil is when a signed request stops being valid, by the exchange's clock.
// It is false for a request without a timestamp.
func ValidUntil(query, form string) (time.Time, bool) {
	stamp := Param(query, "timestamp")
	if stamp == "" {
		stamp = Param(form, "timestamp")
	}
	if stamp == "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}, false
	}
	// Milliseconds have 13 digits in this century, microseconds 16.
	at := time.UnixMilli(n)
	if n >= 1e15 {
		at = time.UnixMicro(n)
	}
	window := defaultRecvWindow
	said := Param(query, "recvWindow")
	if said == "" {
		said = Param(form, "recvWindow")
	}
	if ms, err := strconv.ParseFloat(said, 64); err == nil && ms > 0 {
		window = time.Duration(min(ms*float64(time.Millisecond), float64(maxRecvWindow)))
	}
	return at.Add(window), true
}

// IsSigned is true for a request that acts for an account.
func IsSigned(query, form string) bool {
	return Param(query, "signature") != "" || Param(form, "signature") != ""
}
