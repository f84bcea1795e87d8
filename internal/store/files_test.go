package store_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

// TestFilesOfAStoppedStoreCanBeAskedManyTimes, also while they are only in the
// write-ahead log, and are left as they were.
func TestFilesOfAStoppedStoreCanBeAskedManyTimes(t *testing.T) {
	dir := t.TempDir()
	r := start(t, store.Config{Dir: dir}, "")
	now := time.Now().UnixMilli()
	for ago := int64(9); ago >= 0; ago-- {
		r.mustAppend("lag", now-60_000*ago, float64(ago))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	files, err := store.OpenFiles(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	// The engine of a store that has ended must not be used.
	asking := start(t, store.Config{Dir: t.TempDir()}, "")
	for range 2 {
		if got, want := asking.queryWith(files, "max_over_time(lag[5m])", now), "{} => 4 @"; !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := asking.queryWith(files, "lag", now-120_000), "lag => 2 @"; !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, store.Config{Dir: dir}, "")
	if got := again.count("lag", now); got != 10 {
		t.Errorf("got %d samples after the files were read, want 10", got)
	}
}

func TestFilesThatAreNotThereAreNamed(t *testing.T) {
	_, err := store.OpenFiles(t.TempDir()+"/none", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `/none": `) {
		t.Errorf("got %v, want the directory", err)
	}
}
