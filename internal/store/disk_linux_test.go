package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

// smallDisk mounts a file system of its own.
func smallDisk(t *testing.T, sizeBytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(sizeBytes)); err != nil {
		if os.Getenv("REALPARTS") == "require" {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Skipf("mount a small disk: %v; run as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// occupy writes until nothing more fits.
func occupy(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, block := range [][]byte{make([]byte, 1<<20), make([]byte, 4<<10)} {
		for err == nil {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}

func TestFullDiskRefusesAppendsAndNothingElse(t *testing.T) {
	const series, reserve = 2000, 8 << 20
	disk := smallDisk(t, 64<<20)
	dir := filepath.Join(disk, "tsdb")
	cfg := store.Config{Dir: dir, ReserveBytes: reserve, BlockReloadInterval: time.Second}
	r := start(t, cfg, "")

	refs := make([]storage.SeriesRef, series)
	commit := func(n int64) error {
		app := r.Appender(t.Context())
		for i := range refs {
			ref, err := app.Append(refs[i], labels.FromStrings(model.MetricNameLabel, "m", "i", strconv.Itoa(i)), dataStart+n*1000, float64(n))
			if err != nil {
				return errors.Join(err, app.Rollback())
			}
			refs[i] = ref
		}
		return app.Commit()
	}
	acknowledged := int64(0)
	for range 300 {
		if err := commit(acknowledged); err != nil {
			t.Fatal(err)
		}
		acknowledged++
	}

	filler := filepath.Join(disk, "filler")
	occupy(t, filler)
	const refused = 20
	for range refused {
		if err := commit(acknowledged); !errors.Is(err, store.ErrDiskFull) {
			t.Fatalf("got %v on a full disk, want ErrDiskFull", err)
		}
	}
	if got := r.gauge("hedgewatch_store_append_failures_total", "reason", "disk_full"); got != refused {
		t.Errorf("got %v failures counted, want %v", got, refused)
	}
	if got := r.gauge("hedgewatch_store_disk_full"); got != 1 {
		t.Errorf("got hedgewatch_store_disk_full %v, want 1", got)
	}
	if got := r.gauge("hedgewatch_store_free_bytes"); got < reserve/2 {
		t.Errorf("got %v bytes free, want the reserve of %d given back", got, reserve)
	}
	if got := r.log.count("Disk full"); got != 1 {
		t.Errorf("got %d lines about the full disk, want 1", got)
	}
	if got := r.count("m", dataEnd); got != int(acknowledged)*series {
		t.Errorf("on a full disk got %d samples, want %d", got, int(acknowledged)*series)
	}
	// The library maps finished chunks now, and panics if it cannot.
	within(t, "mapping of head chunks", func() bool {
		return r.gauge("prometheus_tsdb_mmap_chunks_total") >= 2*series
	})

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := commit(acknowledged); err != nil {
			t.Fatalf("got %v after space was freed", err)
		}
		acknowledged++
	}
	if got := r.log.count("Disk has space again"); got != 1 {
		t.Errorf("got %d lines about space, want 1", got)
	}
	if fi, err := os.Stat(filepath.Join(dir, "reserve")); err != nil || fi.Size() != reserve {
		t.Errorf("got reserve %v, %v, want it made again", fi, err)
	}

	// Full again at the stop, and still at the start.
	occupy(t, filler)
	if err := commit(acknowledged); !errors.Is(err, store.ErrDiskFull) {
		t.Fatalf("got %v on a full disk, want ErrDiskFull", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, cfg, "")
	if got := r.count("m", dataEnd); got != int(acknowledged)*series {
		t.Errorf("after a restart got %d samples, want %d", got, int(acknowledged)*series)
	}
	if err := commit(acknowledged); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("got %v on a full disk, want ErrDiskFull", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	refs = make([]storage.SeriesRef, series)
	if err := commit(acknowledged); err != nil {
		t.Errorf("got %v after space was freed", err)
	}

	// Not a byte left at the start but the reserve.
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	occupy(t, filler)
	r = start(t, cfg, "")
	if err := commit(acknowledged); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("got %v on a full disk, want ErrDiskFull", err)
	}
	if got := r.Quarantined(); len(got) > 0 {
		t.Errorf("a full disk is no damage, but quarantined is %v", got)
	}
}
