package host

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
)

func TestStartLogQuietensOnlyTheStart(t *testing.T) {
	var out bytes.Buffer
	var starting atomic.Bool
	starting.Store(true)
	logger := slog.New(startLog{slog.NewTextHandler(&out, nil), &starting}).With("collector", "diskstats")
	logger.Error("no udev here")
	if out.Len() > 0 {
		t.Errorf("logged while starting: %s", &out)
	}
	starting.Store(false)
	logger.Error("disk is gone")
	if got := out.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "collector=diskstats") {
		t.Errorf("got %q, want the error with its collector", got)
	}
}
