package instrument

import (
	"context"
	"net/http"
	"strings"
)

// Priority says how much a request to the exchange matters, to the governor and
// while it is down. A request that says nothing is judged by its method and path.
type Priority string

// The priorities, most urgent first.
const (
	Cancel     Priority = "cancel"
	Order      Priority = "order"
	Account    Priority = "account"
	MarketData Priority = "market"
	Backfill   Priority = "backfill"
)

func priorities() []Priority { return []Priority{Cancel, Order, Account, MarketData, Backfill} }

// The headers that the governor reads, and the one that marks an answer which is
// not the exchange's but the governor's or ours.
const (
	clientHeader   = "X-Hedgewatch-Client"
	priorityHeader = "X-Hedgewatch-Priority"
	outcomeHeader  = "X-Hedgewatch-Outcome"
)

type priorityKey struct{}

// WithPriority gives a priority to the requests made with the context, as for a
// backfill, which by its path alone is like any other reading.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// rank is the place of the request's priority among priorities.
func rank(r *http.Request) int {
	if p, ok := r.Context().Value(priorityKey{}).(Priority); ok {
		if i, ok := p.rank(); ok {
			return i
		}
	}
	if said := r.Header[priorityHeader]; len(said) == 1 {
		if i, ok := Priority(said[0]).rank(); ok {
			return i
		}
	}
	i, _ := judge(r).rank()
	return i
}

func (p Priority) rank() (int, bool) {
	switch p {
	case Cancel:
		return 0, true
	case Order:
		return 1, true
	case Account:
		return 2, true
	case MarketData:
		return 3, true
	case Backfill:
		return 4, true
	}
	return 0, false
}

// urgent says that nothing but a ban holds the request back.
func urgent(rank int) bool { return rank <= 1 }

// judge goes by the exchange's paths: all that creates, changes or cancels an order
// has "order" in its path, and only what is an account's own is signed.
func judge(r *http.Request) Priority {
	path := r.URL.Path
	if r.Method != http.MethodGet {
		switch {
		case strings.HasSuffix(path, "/test"):
			return Account
		case strings.HasSuffix(path, "/countdownCancelAll"):
			return Cancel
		case !strings.Contains(path, "rder"): // order, batchOrders, openOrders, orderList
			return Account
		case r.Method == http.MethodDelete:
			return Cancel
		}
		return Order
	}
	if strings.Contains(r.URL.RawQuery, "signature=") {
		return Account
	}
	return MarketData
}
