package host

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// startLog is a handler for the loggers that node_exporter's constructors get
// and keep. What a constructor says is about its flags, and about hardware that
// a container or a virtual machine does not have, as an error: while starting,
// everything is logged as Debug.
type startLog struct {
	slog.Handler
	starting *atomic.Bool
}

// Enabled implements slog.Handler.
func (h startLog) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, h.level(level))
}

// Handle implements slog.Handler.
func (h startLog) Handle(ctx context.Context, r slog.Record) error {
	r.Level = h.level(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h startLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return startLog{h.Handler.WithAttrs(attrs), h.starting}
}

// WithGroup implements slog.Handler.
func (h startLog) WithGroup(name string) slog.Handler {
	return startLog{h.Handler.WithGroup(name), h.starting}
}

func (h startLog) level(level slog.Level) slog.Level {
	if h.starting.Load() {
		return slog.LevelDebug
	}
	return level
}
