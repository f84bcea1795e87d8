package binance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// LimitType is what a limit counts.
type LimitType string

// The types of limits in exchangeInfo.
const (
	RequestWeight LimitType = "REQUEST_WEIGHT"
	RawRequests   LimitType = "RAW_REQUESTS"
	Orders        LimitType = "ORDERS"
	Connections   LimitType = "CONNECTIONS"
)

// Limit is how much of something is allowed in each window. Windows are fixed and
// begin at whole multiples of their length, by the exchange's UTC clock.
type Limit struct {
	Type   LimitType
	Window time.Duration
	Count  int64
}

// DefaultLimits hold until exchangeInfo was read; API docs, spot 2026-07-21, USDⓈ-M
// 2026-05-28, COIN-M taken as USDⓈ-M.
func DefaultLimits(m Market) []Limit {
	switch m {
	case Spot:
		return []Limit{
			{RequestWeight, time.Minute, 6000},
			{RawRequests, 5 * time.Minute, 300_000},
			{Orders, 10 * time.Second, 100},
			{Orders, 24 * time.Hour, 200_000},
			{Connections, 5 * time.Minute, 300},
		}
	case SAPI:
		return []Limit{{RequestWeight, time.Minute, 12_000}}
	}
	return []Limit{
		{RequestWeight, time.Minute, 2400},
		{Orders, 10 * time.Second, 300},
		{Orders, time.Minute, 1200},
		{Connections, 5 * time.Minute, 300},
	}
}

// SAPIPerAccount is the limit of a /sapi endpoint that counts by account.
const SAPIPerAccount = 180_000

// FundingLimit is shared by fundingRate and fundingInfo of USDⓈ-M, and has no
// header; API docs, 2026-05-28.
func FundingLimit() Limit { return Limit{RawRequests, 5 * time.Minute, 500} }

// WebSocketConnect is the weight of a connection to the WebSocket API.
const WebSocketConnect = 2

// maxInfoBytes bounds how far we look for the limits, which stand before the
// symbols.
const maxInfoBytes = 8 << 20

// ReadLimits finds the limits in an answer of exchangeInfo and reads no further.
func ReadLimits(r io.Reader) ([]Limit, error) {
	d := json.NewDecoder(io.LimitReader(r, maxInfoBytes))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("exchangeInfo is not a JSON object"), err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read exchangeInfo: %w", err)
		}
		if key == "rateLimits" {
			return readLimits(d)
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return nil, fmt.Errorf("read exchangeInfo: %v: %w", key, err)
		}
	}
	return nil, errors.New("exchangeInfo has no rateLimits")
}

func readLimits(d *json.Decoder) ([]Limit, error) {
	var said []struct {
		RateLimitType LimitType
		Interval      string
		IntervalNum   int64
		Limit         int64
	}
	if err := d.Decode(&said); err != nil {
		return nil, fmt.Errorf("read rateLimits of exchangeInfo: %w", err)
	}
	var limits []Limit
	for _, s := range said {
		window := Interval(s.Interval, s.IntervalNum)
		if window == 0 || s.Limit <= 0 {
			return nil, fmt.Errorf("rateLimits of exchangeInfo: %s of %d in %d %s makes no sense", s.RateLimitType, s.Limit, s.IntervalNum, s.Interval)
		}
		limits = append(limits, Limit{s.RateLimitType, window, s.Limit})
	}
	if len(limits) == 0 {
		return nil, errors.New("rateLimits of exchangeInfo is empty")
	}
	return limits, nil
}

// Interval is a window as the exchange writes it, 10 SECOND; 0 if it makes no sense.
func Interval(name string, n int64) time.Duration {
	var unit time.Duration
	switch name {
	case "SECOND":
		unit = time.Second
	case "MINUTE":
		unit = time.Minute
	case "HOUR":
		unit = time.Hour
	case "DAY":
		unit = 24 * time.Hour
	}
	if unit == 0 || n <= 0 || n > int64(maxWindow/unit) {
		return 0
	}
	return time.Duration(n) * unit
}

// Header is the header that tells what is used of the limit, empty if none does.
func (l Limit) Header() string {
	switch {
	case l.Window <= 0:
	case l.Type == RequestWeight:
		return weightPrefix + WindowName(l.Window)
	case l.Type == Orders:
		return ordersPrefix + WindowName(l.Window)
	}
	return ""
}
