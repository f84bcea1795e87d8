package store

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// Files is what a process that has ended has stored, to be read only.
type Files struct {
	db *tsdb.DBReadOnly
	// whole is opened once: each new one replays the write-ahead log.
	whole storage.Querier
}

// OpenFiles reads the directory of the database. Its write-ahead log is held in
// memory until Close.
func OpenFiles(dir string, logger *slog.Logger) (*Files, error) {
	db, err := tsdb.OpenDBReadOnly(dir, "", logger)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", dir, err)
	}
	whole, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		_ = db.Close() // The reason why it cannot be read says more.
		return nil, fmt.Errorf("read %q: %w", dir, err)
	}
	return &Files{db, whole}, nil
}

// Querier implements storage.Queryable. What is selected says which times are
// wanted.
func (f *Files) Querier(int64, int64) (storage.Querier, error) { return lastingQuerier{f.whole}, nil }

// Close lets go of the files.
func (f *Files) Close() error {
	err := f.whole.Close()
	if closeErr := f.db.Close(); err == nil {
		err = closeErr
	}
	return err
}

// lastingQuerier outlives the query that closes it.
type lastingQuerier struct{ storage.Querier }

func (lastingQuerier) Close() error { return nil }
