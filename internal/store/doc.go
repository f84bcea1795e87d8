// Package store keeps samples and answers questions about them: the embedded
// TSDB, the PromQL engine over it, and remote write and read beside it.
//
// [Store] is one storage.Storage for everybody who appends or queries. Around
// the library it adds what an operator misses at three in the morning:
//
//   - A directory that another process holds is refused with that process named.
//   - Damaged files are set aside and named, never deleted ([Store.Quarantined]).
//     What is intact around the damage is kept: a flipped bit in the write-ahead
//     log costs the records it hit, not all that follow.
//   - A full disk refuses appends and nothing else. Queries go on, and appends
//     are taken again as soon as there is space.
//
// It does not scrape, evaluate rules or serve HTTP. Start with [New] and
// [Store.Run].
package store
