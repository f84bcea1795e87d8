package connectivity

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Change is something that differs between two readings of exchangeInfo.
type Change struct {
	Market binance.Market
	// Kind is listed, delisted, status or limit.
	Kind string
	// What is a symbol or a limit.
	What     string
	From, To string
}

// The kinds of changes.
const (
	listed   = "listed"
	delisted = "delisted"
	status   = "status"
	limit    = "limit"
)

func changeKinds() []string { return []string{listed, delisted, status, limit} }

// info is what we want of exchangeInfo. Its serverTime is stale for futures.
type info struct {
	status map[string]string // By symbol.
	limits map[string]string // By type and window.
}

// maxInfo bounds an answer; spot's has about 20 MB.
const maxInfo = 128 << 20

func readInfo(r io.Reader) (*info, error) {
	var answer struct {
		RateLimits []struct {
			Type     binance.LimitType `json:"rateLimitType"`
			Interval string            `json:"interval"`
			Num      int64             `json:"intervalNum"`
			Limit    int64             `json:"limit"`
		} `json:"rateLimits"`
		Symbols []struct {
			Symbol         string `json:"symbol"`
			Status         string `json:"status"`
			ContractStatus string `json:"contractStatus"` // COIN-M.
		} `json:"symbols"`
	}
	if err := json.NewDecoder(io.LimitReader(r, maxInfo)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read exchangeInfo: %w", err)
	}
	if len(answer.Symbols) == 0 {
		return nil, fmt.Errorf("read exchangeInfo: it has no symbols")
	}
	i := &info{status: make(map[string]string, len(answer.Symbols)), limits: make(map[string]string)}
	for _, s := range answer.Symbols {
		i.status[s.Symbol] = known(s.Status + s.ContractStatus)
	}
	for _, l := range answer.RateLimits {
		i.limits[string(l.Type)+" "+binance.WindowName(binance.Interval(l.Interval, l.Num))] = fmt.Sprint(l.Limit)
	}
	return i, nil
}

// trading is the status of a symbol that is traded.
const trading = "TRADING"

// known bounds the label: what the documents do not have is other. Spot enums.md of
// 2026-07, USDⓈ-M of 2026-05.
func known(status string) string {
	switch status {
	case trading, "HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY", "PENDING_TRADING", "PRE_DELIVERING", "DELIVERING", "DELIVERED", "PRE_SETTLE", "SETTLING", "CLOSE":
		return status
	}
	return "other"
}

// changes are what differs, in a fixed order.
func changes(m binance.Market, from, to *info) []Change {
	if from == nil {
		return nil
	}
	var all []Change
	for _, symbol := range slices.Sorted(maps.Keys(to.status)) {
		was, ok := from.status[symbol]
		switch now := to.status[symbol]; {
		case !ok:
			all = append(all, Change{m, listed, symbol, "", now})
		case was != now:
			all = append(all, Change{m, status, symbol, was, now})
		}
	}
	for _, symbol := range slices.Sorted(maps.Keys(from.status)) {
		if _, ok := to.status[symbol]; !ok {
			all = append(all, Change{m, delisted, symbol, from.status[symbol], ""})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(to.limits)) {
		if was := from.limits[name]; was != to.limits[name] {
			all = append(all, Change{m, limit, name, was, to.limits[name]})
		}
	}
	return all
}

// counts are the symbols of a market by status.
func (i *info) counts() map[string]int {
	n := make(map[string]int)
	for _, s := range i.status {
		n[s]++
	}
	return n
}

// IsLimit is true for a limit of requests or orders.
func (c Change) IsLimit() bool { return c.Kind == limit }
