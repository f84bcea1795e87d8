// Package exchangesim is a simulated exchange that speaks Binance: REST, streams
// and WebSocket API of spot, USDⓈ-M and COIN-M. It counts requests and orders,
// refuses and bans as the API documents of 2026-07 say, and serves market data that
// is a function of a seed: the same trades at each reading, bars that are sums of
// trades, and books that fit their updates.
//
// It is for tests and the demo. It knows nothing of the governor, so that the two
// check each other. It is no matching engine: orders fill whole, at the price of
// the generated market. Start with [New] and [Exchange.Handler]; [Exchange.Inject]
// breaks things.
package exchangesim
