package scraper

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// repeatAfter is how long a record stays the only one of its kind.
	repeatAfter = time.Minute
	// maxKinds bounds the memory for it.
	maxKinds = 1000
)

// repeats drops records that say what another one said within the last minute:
// the scrape manager logs each scrape that the store refuses, which on a full
// disk is every scrape of every target.
type repeats struct {
	slog.Handler
	scope string // the attributes of the logger
	seen  *seen
}

type seen struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func withoutRepeats(logger *slog.Logger) *slog.Logger {
	return slog.New(repeats{Handler: logger.Handler(), seen: &seen{last: map[string]time.Time{}}})
}

// Handle implements slog.Handler.
func (h repeats) Handle(ctx context.Context, r slog.Record) error {
	var kind strings.Builder
	kind.WriteString(h.scope)
	kind.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		kind.WriteString(a.String())
		return true
	})
	if !h.seen.first(kind.String(), r.Time) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		h.scope += a.String()
	}
	return h
}

// WithGroup implements slog.Handler.
func (h repeats) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	h.scope += name
	return h
}

func (s *seen) first(kind string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[kind]; ok && at.Sub(last) < repeatAfter {
		return false
	}
	if len(s.last) >= maxKinds {
		clear(s.last)
	}
	s.last[kind] = at
	return true
}
