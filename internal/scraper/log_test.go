package scraper

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeatedRecordsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := withoutRepeats(slog.New(slog.NewTextHandler(&out, nil)))
		pool := logger.With("scrape_pool", "a")
		for range 120 {
			pool.Error("Scrape commit failed", "err", "disk is full")
			time.Sleep(time.Second)
		}
		pool.Error("Scrape commit failed", "err", "something else")
		logger.With("scrape_pool", "b").Error("Scrape commit failed", "err", "disk is full")
		if got := strings.Count(out.String(), "\n"); got != 4 {
			t.Errorf("got %d lines, want 2 of the same and 2 others:\n%s", got, &out)
		}
	})
}
