package platform

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// orderEvery is between two orders, of one account after the other.
const orderEvery = 2 * time.Second

// routeOrders places the orders of a strategy that buys and sells in turn.
func routeOrders(ctx context.Context, s *service) error {
	n := 0
	return s.repeat(ctx, "orders", orderEvery, func(ctx context.Context) error {
		if len(s.config.Accounts) == 0 {
			return nil
		}
		account := s.config.Accounts[n%len(s.config.Accounts)]
		round := n / len(s.config.Accounts)
		n++
		side := "BUY"
		if round%2 == 1 {
			side = "SELL"
		}
		symbol, quantity := fillSymbols()[round/2%2], "0.010"
		p := url.Values{"symbol": {symbol}, "side": {side}, "type": {"MARKET"}, "quantity": {quantity}}
		var answer struct {
			OrderID int64 `json:"orderId"`
		}
		return s.exchange.ask(ctx, http.MethodPost, "/fapi/v1/order", account.Name, p, &answer)
	})
}
