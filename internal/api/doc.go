// Package api is the HTTP side of hedgewatch: one listener that serves the web
// UI, the Prometheus API, the Alertmanager v2 API, federation, our own JSON API
// under /api/hw/v1, metrics, health and profiles.
//
// It finds out who asks (gate.go), lets through who may (permit.go), refuses
// what browsers are tricked into sending (browser.go), bounds what clients may
// push (push.go) and stops without cutting off answers (server.go). Answers
// come from the parts that [Deps] names; of those this package knows only
// package state, whose contents it serves.
//
// The embedded API constructor changes with nearly every Prometheus release;
// prometheus.go is the only file that knows it. Start with [New].
package api
