package alerting

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestJournalGoesOnWithAFullDisk fills a file system of its own to the last byte.
func TestJournalGoesOnWithAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("mount: %v; run as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	j, err := loadJournal(filepath.Join(dir, "journal"), logger, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	j.reserve = newReserve(dir, logger)
	w := journalWriter{path: j.path}
	write := func(key string) {
		t.Helper()
		j.set(key, entry{value: []byte(key)})
		j.write(&w)
		if j.err != nil {
			t.Fatalf("write %s: %v", key, j.err)
		}
	}
	write("before")
	fill := filepath.Join(dir, "neighbour")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	// The journal's last page may have room for less than this.
	write("large" + string(make([]byte, 8192)))
	write("while full")
	again, err := loadJournal(j.path, logger, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.get("while full"); !ok {
		t.Error("what was written with a full disk is not in the file")
	}

	if err := errors.Join(f.Close(), os.Remove(fill)); err != nil {
		t.Fatal(err)
	}
	write("after")
	if fi, err := os.Stat(j.reserve.path); err != nil || fi.Size() != reserveBytes {
		t.Errorf("got reserve %v, %v, want it made again", fi, err)
	}
	w.close()
}
