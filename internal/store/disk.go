package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// ErrDiskFull refuses an append. Queries go on; appends are taken again by
// themselves once there is space.
var ErrDiskFull = errors.New("disk full")

// reserveFile is the space that is given back when the disk is full.
const reserveFile = "reserve"

// disk stops appends before the disk is quite full, because the library does
// not survive what comes then: a write-ahead log record that is cut short ruins
// the segment, and a head chunk that cannot be written is a panic.
//
//	free < floor              full: the reserve file is removed, appends stop
//	free >= floor + 2*reserve not full: the reserve file is made again
//
// The reserve is for mapping chunks, compaction and retention, which go on.
// It helps against neighbours on the same disk; our own appends stop earlier.
type disk struct {
	dir          string
	reserveBytes int64
	logger       *slog.Logger

	full atomic.Bool

	// mu serialises changes of state, together with those of the file.
	mu sync.Mutex
}

func newDisk(dir string, reserveBytes int64, logger *slog.Logger) *disk {
	return &disk{dir: dir, reserveBytes: reserveBytes, logger: logger}
}

func (d *disk) floor() int64 { return d.reserveBytes / 2 }

// check is called for every commit: one statfs costs less than a microsecond,
// and an older answer could be wrong by what a neighbour wrote since.
func (d *disk) check() error {
	if d.reserveBytes == 0 {
		return nil
	}
	free, known := freeBytes(d.dir)
	if !known {
		return nil // Unknown is not full.
	}
	full := d.full.Load()
	switch {
	case !full && free < d.floor():
		d.enter(free)
	case full && free >= d.floor()+2*d.reserveBytes:
		d.leave(free)
	}
	if d.full.Load() {
		return d.err(free)
	}
	return nil
}

// overrun takes note of a write that failed although check saw space.
func (d *disk) overrun() error {
	free, _ := freeBytes(d.dir)
	if d.reserveBytes > 0 {
		d.enter(free)
	}
	return d.err(free)
}

func (d *disk) err(free int64) error {
	return fmt.Errorf("%w: %d MiB free below %q; free some space or lower the retention", ErrDiskFull, free>>20, d.dir)
}

func (d *disk) enter(free int64) {
	d.mu.Lock()
	changed := d.full.CompareAndSwap(false, true)
	var err error
	if changed {
		err = os.Remove(d.path())
	}
	d.mu.Unlock()
	if !changed {
		return
	}
	d.logger.Error("Disk full, samples are refused until there is space; queries go on",
		"dir", d.dir, "freeBytes", free, "neededBytes", d.floor()+2*d.reserveBytes)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.logger.Warn("Disk reserve not given back", "err", err)
	}
}

func (d *disk) leave(free int64) {
	d.mu.Lock()
	if !d.full.Load() {
		d.mu.Unlock()
		return
	}
	err := allocate(d.path(), d.reserveBytes)
	d.full.Store(false)
	d.mu.Unlock()
	d.logger.Info("Disk has space again, samples are taken", "dir", d.dir, "freeBytes", free)
	if err != nil {
		d.logger.Warn("Storage runs without a disk reserve", "err", err)
	}
}

// reserve makes the reserve file, or removes one that is not wanted any more.
// Without space for it the disk counts as full from the start.
func (d *disk) reserve() {
	var have int64
	if fi, err := os.Stat(d.path()); err == nil {
		have = fi.Size()
	}
	free, known := freeBytes(d.dir)
	var err error
	switch {
	case d.reserveBytes == 0 && have > 0:
		err = os.Remove(d.path())
	case d.reserveBytes == 0:
	case known && free+have < d.floor()+d.reserveBytes:
		d.enter(free)
	case have != d.reserveBytes:
		err = allocate(d.path(), d.reserveBytes)
	}
	if err != nil {
		d.logger.Warn("Storage runs without a disk reserve", "err", err)
	}
}

func (d *disk) path() string { return filepath.Join(d.dir, reserveFile) }

// allocate makes a file that occupies sizeBytes on disk, or none.
func allocate(path string, sizeBytes int64) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(fallocate(f, sizeBytes), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("reserve %d bytes in %q: %w", sizeBytes, path, err), os.Remove(path))
	}
	return nil
}
