// Package binance knows the exchange: its markets, what each request costs and
// which limit it counts against, the headers that tell what is used, and what its
// refusals mean. It follows the API documents of 2026-07 and what was measured
// since.
//
// It decides nothing and sends nothing: what to do about a refusal is for the
// governor, and whose data is right is for the auditor. Start with [Table], which
// prices a request, and with [Judge], which reads an answer.
package binance
