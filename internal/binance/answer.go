package binance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind is what an answer means for whoever goes on sending.
type Kind int

// The kinds of answers; API docs, rest-api.md and errors.md of 2026-07, general-info
// of USDⓈ-M of 2026-05.
const (
	// Accepted is a success.
	Accepted Kind = iota
	// Refused is an error that says nothing about the next request.
	Refused
	// Limited is the 429 of an address: going on leads to a ban.
	Limited
	// OrdersLimited is the 429 of an account's orders.
	OrdersLimited
	// Banned is a 418.
	Banned
	// Firewall is a 403 of the web application firewall, mostly for five minutes.
	Firewall
	// Region is a 451: this address may not use the exchange at all.
	Region
	// Overloaded is -1008: the exchange asks for less, and takes cancels and
	// reduce-only orders.
	Overloaded
	// Unavailable is a 503 of which the exchange says that nothing was done.
	Unavailable
	// Unknown means that the request may have been executed, or not.
	Unknown
	// Clock is -1021: the request's timestamp is outside its window.
	Clock
	// TooManyConnections is -1034: too many connections.
	TooManyConnections
)

// String is the name of the kind, and a label.
func (k Kind) String() string {
	switch k {
	case Accepted:
		return "accepted"
	case Limited:
		return "limited"
	case OrdersLimited:
		return "orders_limited"
	case Banned:
		return "banned"
	case Firewall:
		return "firewall"
	case Region:
		return "region"
	case Overloaded:
		return "overloaded"
	case Unavailable:
		return "unavailable"
	case Unknown:
		return "unknown"
	case Clock:
		return "clock"
	case TooManyConnections:
		return "connections"
	}
	return "refused"
}

// Verdict is what an answer says.
type Verdict struct {
	Kind Kind
	// Code is the exchange's own, 0 if there is none.
	Code int
	// RetryAfter is how long the answer asks to wait, 0 if it does not say.
	RetryAfter time.Duration
	// Free is true if the exchange says that the request was not counted.
	Free bool
}

// Error is an error that the exchange answered. Its text never holds the request.
type Error struct {
	Status int
	Code   int
	Msg    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("exchange answered %d, code %d: %s", e.Status, e.Code, e.Msg)
}

// maxMessage bounds the message that is kept of an error.
const maxMessage = 300

// ReadError reads the body of an error, which the firewall sends as HTML.
func ReadError(status int, body []byte) *Error {
	e := &Error{Status: status}
	var said struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
		// The WebSocket API wraps both.
		Error struct {
			Code int    `json:"code"`
			Msg  string `json:"msg"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &said) == nil {
		e.Code, e.Msg = said.Code, said.Msg
		if said.Error.Code != 0 {
			e.Code, e.Msg = said.Error.Code, said.Error.Msg
		}
	}
	if e.Msg == "" {
		e.Msg = http.StatusText(status)
	}
	e.Msg = e.Msg[:min(len(e.Msg), maxMessage)]
	return e
}

// MaxErrorBytes is as much of an error's body as Judge needs.
const MaxErrorBytes = 4096

// Judge tells what an answer means from its status, its headers and, where it is an
// error, the beginning of its body. Times in it are compared with now.
func Judge(status int, h Header, body []byte, now time.Time) Verdict {
	if status < 400 {
		return Verdict{Kind: Accepted}
	}
	e := ReadError(status, body)
	v := Verdict{Kind: kindOf(status, e, string(body)), Code: e.Code, RetryAfter: RetryAfter(h)}
	if v.RetryAfter == 0 {
		v.RetryAfter = bannedFor(string(body), now)
	}
	v.Free = v.Kind == Overloaded || v.Kind == Unavailable
	return v
}

func kindOf(status int, e *Error, body string) Kind {
	switch status {
	case http.StatusTooManyRequests:
		if e.Code == -1015 {
			return OrdersLimited
		}
		return Limited
	case http.StatusTeapot:
		return Banned
	case http.StatusForbidden:
		// Errors of a key's rights come as 401 or 400: a 403 is the firewall's.
		return Firewall
	case http.StatusUnavailableForLegalReasons:
		return Region
	}
	switch e.Code {
	case -1003:
		// Without a status of its own it comes over the WebSocket API.
		if strings.Contains(e.Msg, "banned") {
			return Banned
		}
		return Limited
	case -1015:
		return OrdersLimited
	case -1008:
		return Overloaded
	case -1021:
		return Clock
	case -1034:
		return TooManyConnections
	case -1006, -1007:
		return Unknown
	}
	if status < 500 {
		return Refused
	}
	if status == http.StatusServiceUnavailable && strings.Contains(body, "Service Unavailable") {
		return Unavailable
	}
	return Unknown
}

// bannedFor finds the time in "IP banned until 1530000000000." or in "retryAfter",
// which is where futures and the WebSocket API say it.
func bannedFor(body string, now time.Time) time.Duration {
	for _, before := range []string{"banned until ", `"retryAfter":`} {
		_, rest, ok := strings.Cut(body, before)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		ms, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			continue
		}
		if wait := time.UnixMilli(ms).Sub(now); wait > 0 {
			return min(wait, LongestBan)
		}
	}
	return 0
}
