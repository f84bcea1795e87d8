package governor

import (
	"net/http"
	"strings"
)

// class is a request's priority, the most urgent first.
type class int

const (
	cancels class = iota
	orders
	account
	market
	backfill
	classes // How many there are.
)

func (c class) String() string {
	return [...]string{"cancel", "order", "account", "market", "backfill"}[c]
}

// urgent says that nothing short of a ban holds the request back.
func (c class) urgent() bool { return c <= orders }

func parseClass(name string) (class, bool) {
	for c := range classes {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// classify gives a request its class. What it says of itself counts among readings
// only: an order is never held for a header, and a reading never passes as one.
func classify(method, path string, signed bool, said string) class {
	natural := naturalClass(method, path, signed)
	asked, ok := parseClass(said)
	if !ok || natural.urgent() {
		return natural
	}
	return max(asked, account)
}

// naturalClass goes by the exchange's paths: all that creates, changes or cancels
// an order has "order" in its path.
func naturalClass(method, path string, signed bool) class {
	if method == http.MethodGet || method == http.MethodHead {
		if signed {
			return account
		}
		return market
	}
	switch {
	case strings.HasSuffix(path, "/test"):
		return account
	case strings.HasSuffix(path, "/countdownCancelAll"):
		return cancels
	case !strings.Contains(path, "rder"): // order, batchOrders, openOrders, orderList.
		return account
	case method == http.MethodDelete:
		return cancels
	}
	return orders
}
