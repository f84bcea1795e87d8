// Package connectivity measures how the exchange is reached from here: the offset
// of our clock, the latency and errors of REST, its system status, what changes in
// exchangeInfo, and whether streams bring data. It goes by data frames: a connection
// that stands and a subscription that was acknowledged prove nothing.
//
// It is not for the limits of requests, which are the governor's; all requests go
// through the transport that is handed in. Start with [New].
package connectivity
