package main

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// A day's history must be complete, and such that no server finds it worth a
// compaction, which would be measured too.
func TestHistoryIsCompleteAndCompact(t *testing.T) {
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, until := range []time.Time{midnight, midnight.Add(15 * time.Second), midnight.Add(7*time.Hour + 59*time.Minute), midnight.Add(17 * time.Hour)} {
		t.Run(until.Format(time.TimeOnly), func(t *testing.T) {
			dir := t.TempDir()
			h := history{instances: 1, paths: 1, from: until.Add(-25 * time.Hour), until: until}
			if err := h.write(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			logger := slog.New(slog.DiscardHandler)
			ranges := []int64{smallBlock.Milliseconds(), middleBlock.Milliseconds(), largeBlock.Milliseconds()}
			compactor, err := tsdb.NewLeveledCompactor(t.Context(), nil, logger, ranges, chunkenc.NewPool(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if plan, err := compactor.Plan(dir); err != nil || len(plan) > 0 {
				t.Errorf("a server would compact %v (error %v), want nothing", plan, err)
			}
			db, err := tsdb.OpenDBReadOnly(dir, "", logger)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			q, err := db.Querier(math.MinInt64, math.MaxInt64)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			got := 0
			set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "process_open_fds"))
			for set.Next() {
				for it := set.At().Iterator(nil); it.Next() != chunkenc.ValNone; got++ {
					want := h.from.Add(time.Duration(got) * scrapeStep).UnixMilli()
					if at, _ := it.At(); at != want {
						t.Fatalf("sample %d is at %d, want %d", got, at, want)
					}
				}
			}
			if want := int(25 * time.Hour / scrapeStep); got != want || set.Err() != nil {
				t.Errorf("got %d samples (error %v), want %d", got, set.Err(), want)
			}
		})
	}
}
