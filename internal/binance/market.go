package binance

import "strings"

// Market is a part of the exchange with request limits of its own, and a label.
type Market string

// The markets.
const (
	Spot  Market = "spot"
	USDM  Market = "usdm"  // USDⓈ-M futures.
	COINM Market = "coinm" // COIN-M futures.
	// SAPI is the wallet and margin API on the host of spot. Each of its endpoints
	// has a limit of its own.
	SAPI Market = "sapi"
)

// Markets are all of them.
func Markets() []Market { return []Market{Spot, USDM, COINM, SAPI} }

// MarketOf tells the market of a request by its path.
func MarketOf(path string) (Market, bool) {
	switch {
	case strings.HasPrefix(path, "/api/"):
		return Spot, true
	case strings.HasPrefix(path, "/fapi/"):
		return USDM, true
	case strings.HasPrefix(path, "/dapi/"):
		return COINM, true
	case strings.HasPrefix(path, "/sapi/"):
		return SAPI, true
	}
	return "", false
}

// MarketOfWebSocket tells the market of a WebSocket API by its path.
func MarketOfWebSocket(path string) (Market, bool) {
	switch path {
	case "/ws-api/v3":
		return Spot, true
	case "/ws-fapi/v1":
		return USDM, true
	case "/ws-dapi/v1":
		return COINM, true
	}
	return "", false
}

// Host is the market whose host answers for m: an address that one of them bans
// is banned by both.
func (m Market) Host() Market {
	if m == SAPI {
		return Spot
	}
	return m
}

// URL is where the exchange serves the market.
func (m Market) URL() string {
	switch m {
	case USDM:
		return "https://fapi.binance.com"
	case COINM:
		return "https://dapi.binance.com"
	}
	return "https://api.binance.com"
}

// WebSocketURL is where the exchange serves the market's WebSocket API, as the
// https URL that is upgraded; empty if it has none.
func (m Market) WebSocketURL() string {
	switch m {
	case Spot:
		return "https://ws-api.binance.com"
	case USDM:
		return "https://ws-fapi.binance.com"
	case COINM:
		return "https://ws-dapi.binance.com"
	}
	return ""
}

// StreamURL is where the exchange serves the market's streams; API docs, 2026-05
// (USDⓈ-M) and 2026-07.
func (m Market) StreamURL() string {
	switch m {
	case USDM:
		return "wss://fstream.binance.com"
	case COINM:
		return "wss://dstream.binance.com"
	}
	return "wss://stream.binance.com:9443"
}

// TimePath is the endpoint that tells the exchange's time; empty if there is none.
func (m Market) TimePath() string { return m.path("time") }

// InfoPath is the endpoint that tells the market's limits; empty if there is none.
func (m Market) InfoPath() string { return m.path("exchangeInfo") }

func (m Market) path(name string) string {
	switch m {
	case Spot:
		return "/api/v3/" + name
	case USDM:
		return "/fapi/v1/" + name
	case COINM:
		return "/dapi/v1/" + name
	}
	return ""
}
