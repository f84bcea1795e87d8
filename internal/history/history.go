// Package history answers questions about what is stored: what an alerting rule
// would have done, had it been there.
//
// It evaluates nothing that is live (package ruler) and tells nobody (package
// alerting). Start with [New].
package history

import (
	"errors"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// Deps are the parts that answer.
type Deps struct {
	Engine  promql.QueryEngine
	Storage storage.Queryable
	Parser  parser.Parser
	// Routes says who would be told of an alert and how soon; nil: not known.
	Routes func(labels map[string]string) []Route
}

// Route is one way of an alert to people.
type Route struct {
	Receiver string
	// Group is the same for alerts that share a message.
	Group string
	// Wait is before the first message of a group, Interval before one about a
	// change, Repeat before one that says the same again.
	Wait, Interval, Repeat time.Duration
}

// History asks the stored series.
type History struct {
	deps Deps
}

// New checks that all parts are there.
func New(d Deps) (*History, error) {
	if d.Engine == nil || d.Storage == nil || d.Parser == nil {
		return nil, errors.New("history: engine, storage and parser are needed")
	}
	return &History{d}, nil
}
