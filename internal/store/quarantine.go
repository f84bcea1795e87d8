package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	quarantineDir = "quarantine"
	incidentFile  = "incident.json"
	readmeFile    = "README.txt"
)

// Kinds of what can be damaged.
const (
	kindBlock      = "block"
	kindWAL        = "wal"
	kindWBL        = "wbl"
	kindChunksHead = "chunks_head"
	kindCheckpoint = "checkpoint"
)

var kinds = []string{kindBlock, kindWAL, kindWBL, kindChunksHead, kindCheckpoint}

// QuarantinedFile is a damaged part of the storage that was set aside: a file,
// or the directory of a block.
type QuarantinedFile struct {
	// Kind is block, wal, wbl, chunks_head or checkpoint.
	Kind string `json:"kind"`
	// Path is where it lies now, From where it came from.
	Path string `json:"path"`
	From string `json:"from"`
	// Found says what is wrong with it, Lost what is missing from queries.
	Found string `json:"found"`
	Lost  string `json:"lost"`
	// MinTime and MaxTime bound the samples affected; zero on a side that is
	// unknown or open.
	MinTime time.Time `json:"minTime,omitzero"`
	MaxTime time.Time `json:"maxTime,omitzero"`
	// Time is when it was set aside.
	Time      time.Time `json:"time"`
	SizeBytes int64     `json:"sizeBytes"`
}

// Quarantined lists what was set aside and still lies there, oldest first.
func (s *Store) Quarantined() []QuarantinedFile { return s.quarantine.list() }

// quarantine keeps each incident in a directory of its own:
//
//	quarantine/20260801T093000.000000000Z-wal/00000007     the damaged file
//	quarantine/20260801T093000.000000000Z-wal/incident.json a QuarantinedFile
//	quarantine/20260801T093000.000000000Z-wal/README.txt    the same, for people
//
// incident.json is written first and the file comes last, so that a crash in
// between leaves an empty incident and the damage where it was, to be found
// again at the next start.
type quarantine struct {
	dir    string
	logger *slog.Logger
}

func (q *quarantine) list() []QuarantinedFile {
	incidents, _ := filepath.Glob(filepath.Join(q.dir, "*", incidentFile)) // The pattern is valid.
	var files []QuarantinedFile
	for _, path := range incidents {
		var f QuarantinedFile
		b, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(b, &f) != nil {
			continue // Half written by a crash: nothing was moved yet.
		}
		// The data directory may have been moved since.
		f.Path = filepath.Join(filepath.Dir(path), filepath.Base(f.Path))
		if _, err := os.Lstat(f.Path); err == nil {
			files = append(files, f)
		}
	}
	return files // Glob sorts, and names start with the time.
}

// move sets f.From aside.
func (q *quarantine) move(f QuarantinedFile) error {
	return q.add(f, f.From, os.Rename)
}

// link sets f.From aside and leaves it in place as well, to be replaced.
func (q *quarantine) link(f QuarantinedFile) error {
	if fi, err := os.Stat(f.From); err == nil {
		for _, have := range q.list() {
			if other, err := os.Stat(have.Path); err == nil && os.SameFile(fi, other) {
				return nil // A crash came between link and replacement.
			}
		}
	}
	return q.add(f, f.From, linkOrCopy)
}

func (q *quarantine) add(f QuarantinedFile, source string, place func(from, to string) error) error {
	f.Time = time.Now().UTC()
	f.SizeBytes = sizeOf(source)
	dir := filepath.Join(q.dir, f.Time.Format("20060102T150405.000000000Z")+"-"+f.Kind)
	f.Path = filepath.Join(dir, filepath.Base(f.From))
	if err := q.write(dir, f); err != nil {
		return fmt.Errorf("set aside damaged %q: %w", f.From, err)
	}
	if err := place(source, f.Path); err != nil {
		return fmt.Errorf("set aside damaged %q: %w", f.From, err)
	}
	if err := errors.Join(syncPath(dir), syncPath(q.dir)); err != nil {
		return fmt.Errorf("set aside damaged %q: %w", f.From, err)
	}
	attrs := []any{"kind", f.Kind, "file", f.From, "quarantine", f.Path, "found", f.Found, "lost", f.Lost}
	if !f.MinTime.IsZero() {
		attrs = append(attrs, "minTime", f.MinTime)
	}
	if !f.MaxTime.IsZero() {
		attrs = append(attrs, "maxTime", f.MaxTime)
	}
	q.logger.Error("Damaged storage file set aside", attrs...)
	return nil
}

func (*quarantine) write(dir string, f QuarantinedFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	incident, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		writeSync(filepath.Join(dir, readmeFile), []byte(readme(f))),
		writeSync(filepath.Join(dir, incidentFile), incident),
	)
}

func readme(f QuarantinedFile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Set aside at %s, because it is damaged.\n\nIt was:     %s\nFound:      %s\nLost:       %s\n",
		f.Time.Format(time.RFC3339), f.From, f.Found, f.Lost)
	if !f.MinTime.IsZero() {
		fmt.Fprintf(&b, "Not before: %s\n", f.MinTime.Format(time.RFC3339))
	}
	if !f.MaxTime.IsZero() {
		fmt.Fprintf(&b, "Not after:  %s\n", f.MaxTime.Format(time.RFC3339))
	}
	b.WriteString("\n" + howTo[f.Kind] + "\n\nNothing here is read any more. When you no longer need it, remove this directory.\n")
	return b.String()
}

// howTo says how to look into each kind.
var howTo = map[string]string{
	kindBlock: "To look inside, copy the block's directory into an empty directory and run\n" +
		"  promtool tsdb analyze DIR BLOCK\n" +
		"or repair it there, and move it back while hedgewatch is stopped.",
	kindWAL: "Its intact records were kept: they are in the log that replaced it. To look at the original,\n" +
		"copy it as wal/00000000 into an empty directory and run\n" +
		"  promtool tsdb dump DIR\n" +
		"which reads up to the first damage.",
	kindWBL: "It holds samples that came out of order. Its intact records were kept:\n" +
		"they are in the log that replaced it.",
	kindCheckpoint: "Its intact records were kept: they are in the checkpoint that replaced it. To look at the original,\n" +
		"copy it as wal/00000000 into an empty directory and run\n" +
		"  promtool tsdb dump DIR",
	kindChunksHead: "It is derived from the write-ahead log, which was read again in its place.",
}

// linkOrCopy makes a second name for a file, on file systems without that a
// second file.
func linkOrCopy(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeSync(to, b)
}

// writeSync writes a file and waits until it is on disk.
func writeSync(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncPath makes a directory's entries survive a power loss.
func syncPath(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func sizeOf(path string) (sizeBytes int64) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error { // What is unreadable counts nothing.
		if err == nil && d.Type().IsRegular() {
			if fi, err := d.Info(); err == nil {
				sizeBytes += fi.Size()
			}
		}
		return nil
	})
	return sizeBytes
}

// numbered lists the files of dir whose names are numbers, in their order.
// A missing dir has none.
func numbered(dir string) ([]numberedFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var files []numberedFile
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "%d", &n); err != nil || !e.Type().IsRegular() || strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		files = append(files, numberedFile{n: n, path: filepath.Join(dir, e.Name())})
	}
	slices.SortFunc(files, func(a, b numberedFile) int { return cmp.Compare(a.n, b.n) })
	return files, nil
}

type numberedFile struct {
	n    int
	path string
}
