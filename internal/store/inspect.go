package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// inspect makes the directory one that the library opens without deleting
// anything. A crash at any point leaves the damage to be found again.
func (s *Store) inspect() error {
	wal := filepath.Join(s.cfg.Dir, "wal")
	wbl := filepath.Join(s.cfg.Dir, wlog.WblDirName)
	next := 0 // The segment that the library reads first.
	checkpoint, index, err := wlog.LastCheckpoint(wal)
	switch {
	case err == nil:
		next = index + 1
		if err := s.inspectLog(checkpoint, kindCheckpoint); err != nil {
			return err
		}
	case !errors.Is(err, record.ErrNotFound) && !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := s.inspectRemains(wal); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return s.fillGaps(wal, next) },
		func() error { return s.inspectLog(wal, kindWAL) },
		func() error { return s.fillGaps(wbl, -1) },
		func() error { return s.inspectLog(wbl, kindWBL) },
		s.inspectHeadChunks,
		s.inspectBlocks,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// inspectRemains sets aside what an interrupted repair of the library left: the
// original of a segment, under another name.
func (s *Store) inspectRemains(wal string) error {
	remains, _ := filepath.Glob(filepath.Join(wal, "*.repair")) // The pattern is valid.
	for _, path := range remains {
		if err := s.quarantine.move(QuarantinedFile{
			Kind: kindWAL, From: path,
			Found: "a repair by the library was interrupted",
			Lost:  "what this segment holds and its repaired copy does not",
		}); err != nil {
			return err
		}
	}
	return nil
}

// maxGap bounds how many missing segments are made good.
const maxGap = 100_000

// fillGaps puts an empty segment where one is missing, because the library
// refuses a row with gaps. from is the number of the first one, or -1 for
// whatever is there.
func (s *Store) fillGaps(dir string, from int) error {
	files, err := numbered(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if from >= 0 && f.n > from {
			if f.n-from > maxGap {
				return fmt.Errorf("segments %d to %d are missing in %q; move %q away if it does not belong there", from, f.n-1, dir, f.path)
			}
			for n := from; n < f.n; n++ {
				empty, err := wlog.CreateSegment(dir, n)
				if err != nil {
					return err
				}
				if err := empty.Close(); err != nil {
					return err
				}
			}
			s.logger.Error("Log segments are missing, their samples are lost", "dir", dir, "first", from, "last", f.n-1)
		}
		from = f.n + 1
	}
	return nil
}

// inspectLog checks every segment below dir and repairs what is damaged.
func (s *Store) inspectLog(dir, kind string) error {
	files, err := numbered(dir)
	if err != nil {
		return err
	}
	// A kill cuts off the last segment that holds anything. A checkpoint is
	// complete before it gets its name.
	last := len(files) - 1
	for last >= 0 && sizeOf(files[last].path) == 0 {
		last--
	}
	for i, f := range files {
		if err := s.inspectSegment(f.path, kind, i == last && kind != kindCheckpoint); err != nil {
			return err
		}
	}
	return nil
}

// inspectHeadChunks sets aside the first head chunk file that the library could
// not map and all after it. The log holds their samples. Damage behind the
// header the library finds itself, and the guard keeps what it then drops.
func (s *Store) inspectHeadChunks() error {
	files, err := numbered(filepath.Join(s.cfg.Dir, "chunks_head"))
	if err != nil {
		return err
	}
	for i, f := range files {
		found, err := headChunksDamage(f.path, i == len(files)-1)
		if err != nil {
			return err
		}
		if i > 0 && f.n != files[i-1].n+1 {
			found = "the file before it is missing"
		}
		if found == "" {
			continue
		}
		for _, f := range files[i:] {
			if err := s.quarantine.move(QuarantinedFile{
				Kind: kindChunksHead, From: f.path, Found: found,
				Lost: "nothing: the samples are read again from the write-ahead log",
			}); err != nil {
				return err
			}
			found = "follows a damaged file"
		}
		return nil
	}
	return nil
}

func headChunksDamage(path string, last bool) (found string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var header [chunks.HeadChunkFileHeaderSize]byte
	n, _ := f.Read(header[:]) // Too little is what we look for.
	magic := binary.BigEndian.Uint32(header[:])
	switch {
	case last && magic == 0:
		return "", nil // Just created when the process was killed; the library removes it.
	case n < len(header):
		return "the header is cut off", nil
	case magic != chunks.MagicHeadChunks:
		return "the header is not that of a head chunk file", nil
	case header[4] != 1:
		return fmt.Sprintf("unknown format version %d", header[4]), nil
	}
	return "", nil
}

// inspectBlocks sets aside the blocks that cannot be opened. The library would
// open nothing because of one of them, or ignore it for ever.
func (s *Store) inspectBlocks() error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isBlock(e) {
			continue
		}
		dir := filepath.Join(s.cfg.Dir, e.Name())
		block, err := tsdb.OpenBlock(promslog.NewNopLogger(), dir, nil, nil)
		if err == nil {
			if err := block.Close(); err != nil {
				return err
			}
			continue
		}
		if !isDamage(err) {
			return fmt.Errorf("open block %q: %w", dir, err)
		}
		minTime, maxTime := blockTimes(dir)
		if err := s.quarantine.move(QuarantinedFile{
			Kind: kindBlock, From: dir, Found: strings.ReplaceAll(err.Error(), "\n", "; "),
			Lost:    "the samples of this block",
			MinTime: minTime, MaxTime: maxTime,
		}); err != nil {
			return err
		}
	}
	return nil
}

// isDamage tells damage from trouble of the machine, which passes.
func isDamage(err error) bool {
	for _, passing := range []error{fs.ErrPermission, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO} {
		if errors.Is(err, passing) {
			return false
		}
	}
	return true
}

// blockTimes reads what it can of the meta file. Without one, all that is
// known is that the block's samples are older than its name.
func blockTimes(dir string) (minTime, maxTime time.Time) {
	var meta struct{ MinTime, MaxTime int64 }
	b, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err == nil && json.Unmarshal(b, &meta) == nil && meta.MaxTime > 0 {
		return time.UnixMilli(meta.MinTime).UTC(), time.UnixMilli(meta.MaxTime).UTC()
	}
	id, err := ulid.ParseStrict(filepath.Base(dir))
	if err != nil {
		return time.Time{}, time.Time{}
	}
	written := ulid.Time(id.Time()).UTC()
	return written.Add(-3 * time.Hour), written
}
