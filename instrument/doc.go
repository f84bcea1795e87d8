// Package instrument is what a service imports to show how it is doing: its HTTP
// server and clients, its calls to Binance, the rows it stores, its streams, its
// jobs and its panics, as Prometheus metrics.
//
// Each part has a constructor that takes a [prometheus.Registerer] and registers
// all that the part exports; there is no other registry. Build each part once,
// at the start, and keep it. Counters exist, at 0, from the moment their labels
// are known, so that rate and increase see the first event. Every label has a
// bound: README.md lists the metrics, their labels and the bounds.
//
// The calls on a hot path take less than 200 ns and allocate nothing.
//
// It serves no /metrics, that is promhttp's, and it logs nothing unless it is
// given a logger. Start with [NewHTTPServer], [NewBinance] and [NewSync].
package instrument
