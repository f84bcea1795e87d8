package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// guard holds a second name of every log and head chunk file while the library
// opens them. The library repairs by deleting; whatever it deletes or replaces
// then still exists here and goes to quarantine. What inspect can repair it has
// repaired before, so that this is the net below it.
//
// It costs one hard link per file. The files are not written any more: the
// library begins new ones at every start.
type guard struct {
	q   *quarantine
	dir string // The TSDB.
}

// guardDir mirrors the TSDB's layout.
const guardDir = ".guard"

// hold links what the library could delete.
func (g *guard) hold() error {
	files, err := g.files(g.dir)
	if err != nil {
		return err
	}
	for _, rel := range files {
		to := g.path(rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("guard storage files: %w", err)
		}
		// Without hard links there is no net: copying could take minutes.
		if err := os.Link(filepath.Join(g.dir, rel), to); err != nil {
			g.q.logger.Warn("Storage files are opened without a second name for them", "err", err)
			break
		}
	}
	return nil
}

// settle sets aside what is gone or was replaced, and drops the other links.
func (g *guard) settle() error {
	root := filepath.Join(g.q.dir, guardDir)
	files, err := g.files(root)
	if err != nil {
		return err
	}
	for _, rel := range files {
		saved, err := os.Stat(g.path(rel))
		if err != nil {
			return fmt.Errorf("guard storage files: %w", err)
		}
		if now, err := os.Stat(filepath.Join(g.dir, rel)); err == nil && os.SameFile(saved, now) {
			continue
		}
		if saved.Size() == 0 {
			continue
		}
		f := QuarantinedFile{
			Kind:  kindOf(rel),
			From:  filepath.Join(g.dir, rel),
			Found: "the library dropped it while opening the storage; its log lines above say why",
			Lost:  "nothing: the samples are read again from the write-ahead log",
		}
		if f.Kind != kindChunksHead {
			f.Lost = "samples since the file before it, up to the start at " + time.Now().UTC().Format(time.RFC3339)
		}
		if err := g.q.add(f, g.path(rel), os.Rename); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return fmt.Errorf("guard storage files: %w", err)
	}
	return nil
}

func (g *guard) path(rel string) string { return filepath.Join(g.q.dir, guardDir, rel) }

// files lists log, checkpoint and head chunk files below root, relative to it.
func (*guard) files(root string) ([]string, error) {
	dirs := []string{"wal", wlog.WblDirName, "chunks_head"}
	checkpoint, _, err := wlog.LastCheckpoint(filepath.Join(root, "wal"))
	switch {
	case err == nil:
		dirs = append(dirs, filepath.Join("wal", filepath.Base(checkpoint)))
	case !errors.Is(err, record.ErrNotFound) && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("guard storage files: %w", err)
	}
	var rels []string
	for _, dir := range dirs {
		files, err := numbered(filepath.Join(root, dir))
		if err != nil {
			return nil, fmt.Errorf("guard storage files: %w", err)
		}
		for _, f := range files {
			rels = append(rels, filepath.Join(dir, filepath.Base(f.path)))
		}
	}
	return rels, nil
}

// kindOf tells from the path relative to the TSDB.
func kindOf(rel string) string {
	switch dir := filepath.Dir(rel); dir {
	case "wal":
		return kindWAL
	case wlog.WblDirName:
		return kindWBL
	case "chunks_head":
		return kindChunksHead
	default:
		return kindCheckpoint
	}
}
