package instrument

import "strings"

// Market is a part of the exchange with request limits of its own, and a label.
type Market string

// The markets, named as hedgewatch's governor names them.
const (
	Spot  Market = "spot"
	USDM  Market = "usdm"  // USDⓈ-M futures.
	COINM Market = "coinm" // COIN-M futures.
	// SAPI is the wallet and margin API on the host of spot. It has limits for each
	// endpoint, and its 429 says nothing about the rest.
	SAPI Market = "sapi"
)

// markets are those that have trades.
func markets() []Market { return []Market{Spot, USDM, COINM} }

// marketOf tells the market of a request by its path, as the governor does.
func marketOf(path string) (Market, bool) {
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
