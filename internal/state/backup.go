package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// backupPattern is where copies are made.
const backupPattern = "backup-*"

// removeLeftovers removes what a process that was killed left of a copy.
func removeLeftovers(dir string, logger *slog.Logger) {
	left, err := filepath.Glob(filepath.Join(dir, backupPattern))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		logger.Warn("Unfinished backup not removed", "err", err)
	}
}

// Backup returns a copy of the database as it is now, whole in itself. Writers
// are not held up.
func (s *State) Backup(ctx context.Context) (copied io.ReadCloser, err error) {
	dir, err := os.MkdirTemp(s.dir, backupPattern) // Mode 0700.
	if err != nil {
		return nil, err
	}
	// The open file outlives its name, and whatever may happen to us.
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	to := filepath.Join(dir, fileName)
	db, err := connect(s.path, copyConnection)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return nil, fmt.Errorf("copy the state: %w", err)
	}
	return os.Open(to)
}
