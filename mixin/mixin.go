// Package mixin holds the monitoring that hedgewatch ships: alerting and
// recording rules as plain Prometheus files, embedded in the binary and usable
// by a stock Prometheus as they are.
//
// It does not load, evaluate or configure anything; that is the ruler's work.
// Start with Rules. README.md says what each file needs, docs/runbooks what to do
// when an alert fires.
package mixin

import (
	"embed"
	"io/fs"
)

//go:embed rules/*.yml
var files embed.FS

// Rules returns the shipped rule files, such as "host.yml", in a flat directory.
func Rules() fs.FS {
	rules, err := fs.Sub(files, "rules")
	if err != nil {
		panic(err) // Only an invalid path fails, and this one is constant.
	}
	return rules
}
