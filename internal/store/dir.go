package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// lockFile is the one that Prometheus takes too, so that neither opens the
// other's directory.
const lockFile = "lock"

// known are the names that a TSDB directory may start from.
var known = []string{
	lockFile, "wal", "wbl", "chunks_head", "chunk_snapshot", "snapshots",
	"queries.active", "series_state.json", reserveFile, quarantineDir, "lost+found",
}

// dirLock is held from New to the end of Run.
type dirLock struct{ releaser fileutil.Releaser }

// lockDir makes sure that dir is ours to use as a TSDB and takes its lock.
func lockDir(dir string) (*dirLock, error) {
	fail := func(err error) (*dirLock, error) { return nil, fmt.Errorf("storage %q: %w", dir, err) }
	fi, err := os.Stat(dir)
	switch {
	case err == nil && !fi.IsDir():
		return fail(errors.New("is a file; move it away or choose another --storage.path"))
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fail(fmt.Errorf("%w; create it or choose another --storage.path", err))
		}
	case err != nil:
		return fail(err)
	}
	if err := checkContent(dir); err != nil {
		return fail(err)
	}
	path := filepath.Join(dir, lockFile)
	releaser, _, err := fileutil.Flock(path)
	if errors.Is(err, syscall.EAGAIN) {
		return fail(fmt.Errorf("held by %s; stop that process or choose another --storage.path", lockHolder(path)))
	}
	if err != nil {
		return fail(fmt.Errorf("not writable: %w; give this user write access or choose another --storage.path", err))
	}
	return &dirLock{releaser}, nil
}

// checkContent refuses a directory that is full of something else, such as a
// home directory given by mistake.
func checkContent(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w; give this user access or choose another --storage.path", err)
	}
	for _, e := range entries {
		if slices.Contains(known, e.Name()) || isBlock(e) {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("not a time series database: it holds %q; choose an empty or a new --storage.path", entries[0].Name())
	}
	return nil
}

func isBlock(e os.DirEntry) bool {
	_, err := ulid.ParseStrict(e.Name())
	return err == nil && e.IsDir()
}

// release leaves the lock file in place: removing it would race with a process
// that has just opened it.
func (l *dirLock) release() error { return l.releaser.Release() }
