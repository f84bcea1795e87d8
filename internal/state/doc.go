// Package state is the embedded database of what people make and do: users,
// sessions, tokens, dashboards, rules made in the UI, the history of alerts and
// the log of changes. It is one SQLite file, state.db.
//
// It is not for samples (package store), nor for what alerts need to be
// delivered (package alerting): no alert waits for this file. Therefore what
// happens on the way of an alert or of a request is kept by queues that never
// block ([State.Record], [State.LogChange]), and who may get in is answered from
// memory ([State.User], [State.Token], [State.Session]).
//
// There is one writer connection and a few readers, so that "database is
// locked" cannot happen. Start with [New].
package state
