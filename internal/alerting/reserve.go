package alerting

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	// reserveBytes is enough to rewrite the journals with some 10,000 alerts and to
	// go on for a while.
	reserveBytes = 16 << 20
	// reserveRoom has to be free for the reserve to be made again.
	reserveRoom = 2 * reserveBytes
)

// reserve is a file that takes up space for the journals, and gives it back when
// the disk is full. It helps against neighbours: what is told has to be written
// down even then, or a crash would have it told again.
type reserve struct {
	path   string
	logger *slog.Logger

	mu   sync.Mutex
	held bool
}

func newReserve(dir string, logger *slog.Logger) *reserve {
	return &reserve{path: filepath.Join(dir, "reserve"), logger: logger}
}

// release gives the space back if the error is that there is none. It reports
// whether another attempt is worth while.
func (r *reserve) release(err error) bool {
	if r == nil || !errors.Is(err, syscall.ENOSPC) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	removed := os.Remove(r.path)
	if removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		r.logger.Warn("The space reserved for alert state is not given back", "file", r.path, "err", removed)
	}
	if removed == nil {
		r.logger.Error("Disk full; alert state goes on in the space reserved for it", "file", r.path, "bytes", reserveBytes)
	}
	r.held = false
	// The other journal may have released it just before.
	free, known := freeBytes(filepath.Dir(r.path))
	return known && free > 0
}

// keep makes the reserve if it is missing and there is room for it. It is called
// before each write: to ask for the room takes less than a microsecond.
func (r *reserve) keep() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return
	}
	if fi, err := os.Stat(r.path); err == nil && fi.Size() == reserveBytes {
		r.held = true
		return
	}
	if free, known := freeBytes(filepath.Dir(r.path)); !known || free < reserveRoom {
		return
	}
	if err := r.allocate(); err != nil {
		r.logger.Warn("No space is reserved for alert state", "file", r.path, "err", err)
		return
	}
	r.held = true
}

func (r *reserve) allocate() error {
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(allocate(f, reserveBytes), f.Close()); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	return nil
}
