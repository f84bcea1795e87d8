package alerting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// openJournal loads the journal at path and runs it until close is called.
func openJournal(t testing.TB, path string, logs *bytes.Buffer) (j *journal, closeJournal func()) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if logs != nil {
		logger = slog.New(slog.NewTextHandler(logs, nil))
	}
	j, err := loadJournal(path, logger, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { j.run(ctx) })
	closeJournal = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(closeJournal)
	return j, closeJournal
}

func (j *journal) contents() map[string]string {
	got := make(map[string]string)
	j.each("", func(key string, value []byte) { got[key] = string(value) })
	return got
}

func contentsOf(t testing.TB, path string) map[string]string {
	t.Helper()
	j, err := loadJournal(path, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return j.contents()
}

func mustSync(t testing.TB, j *journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := j.sync(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestJournalAgainstMap runs random changes, rewrites and reopenings against a
// plain map: after each sync the file holds just what the map does.
func TestJournalAgainstMap(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "journal")
	j, closeJournal := openJournal(t, path, nil)
	want := make(map[string]string)
	for range 300 {
		for range rnd.IntN(20) {
			key := fmt.Sprintf("key/%d", rnd.IntN(50))
			if rnd.IntN(3) == 0 {
				delete(want, key)
				j.delete(key)
				continue
			}
			want[key] = strings.Repeat("v", rnd.IntN(5000)) + fmt.Sprint(rnd.Uint32())
			j.set(key, entry{value: []byte(want[key])})
		}
		mustSync(t, j)
		if diff := cmp.Diff(want, contentsOf(t, path)); diff != "" {
			t.Fatalf("file (-want +got):\n%s", diff)
		}
		if rnd.IntN(20) == 0 {
			closeJournal()
			j, closeJournal = openJournal(t, path, nil)
		}
	}
	if info, err := os.Stat(path); err != nil {
		t.Error(err)
	} else if limit := 2*j.liveBytes + 2*journalSlackBytes; info.Size() > limit {
		t.Errorf("file has %d bytes, want at most %d", info.Size(), limit)
	}
}

func TestJournalTakesConcurrentChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := openJournal(t, path, nil)
	want := make(map[string]string)
	var writers sync.WaitGroup
	for w := range 8 {
		for i := range 50 {
			want[fmt.Sprintf("%d/%d", w, i)] = "last"
		}
		writers.Go(func() {
			for i := range 50 {
				key := fmt.Sprintf("%d/%d", w, i)
				j.set(key, entry{value: []byte("first")})
				j.set(key, entry{value: []byte("last")})
				if err := j.sync(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if diff := cmp.Diff(want, contentsOf(t, path)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestJournalForgetsExpired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, closeJournal := openJournal(t, path, nil)
	j.set("old", entry{value: []byte("x"), expires: time.Now().Add(-time.Minute)})
	j.set("new", entry{value: []byte("x"), expires: time.Now().Add(time.Hour)})
	j.set("eternal", entry{value: []byte("x")})
	mustSync(t, j)
	closeJournal()
	want := map[string]string{"new": "x", "eternal": "x"}
	if diff := cmp.Diff(want, contentsOf(t, path)); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

func TestJournalSyncOfAHangingDiskEndsWithItsContext(t *testing.T) {
	j, err := loadJournal(filepath.Join(t.TempDir(), "journal"), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	j.set("key", entry{}) // and nothing writes it
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := j.sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline error", err)
	}
}

func TestClosedJournalSaysSo(t *testing.T) {
	j, closeJournal := openJournal(t, filepath.Join(t.TempDir(), "journal"), nil)
	closeJournal()
	j.set("key", entry{})
	if err := j.sync(context.Background()); !errors.Is(err, errJournalClosed) {
		t.Errorf("got %v, want %v", err, errJournalClosed)
	}
}

func TestDamagedJournal(t *testing.T) {
	var first, second, third []byte
	first = appendSet(first, "a", entry{value: []byte("one")})
	second = appendSet(second, "b", entry{value: []byte("two")})
	third = appendDelete(third, "a")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 0x40
		return b
	}
	for _, test := range []struct {
		name       string
		data       []byte
		want       map[string]string
		torn       bool
		quarantine bool
	}{
		{name: "empty", want: map[string]string{}},
		{name: "whole", data: join(first, second), want: map[string]string{"a": "one", "b": "two"}},
		{name: "deleted", data: join(first, second, third), want: map[string]string{"b": "two"}},
		{name: "torn in the header", data: join(first, second[:7]), want: map[string]string{"a": "one"}, torn: true},
		{name: "torn in the body", data: join(first, second[:len(second)-1]), want: map[string]string{"a": "one"}, torn: true},
		{name: "zeros at the end", data: join(first, make([]byte, 4096)), want: map[string]string{"a": "one"}, torn: true},
		{name: "bad byte in the last record", data: join(first, flip(second, len(second)-1)), want: map[string]string{"a": "one"}, torn: true},
		{name: "bad byte in the middle", data: join(flip(first, len(first)-1), second), want: map[string]string{"b": "two"}, quarantine: true},
		{name: "bad length in the middle", data: join(flip(first, 11), second), want: map[string]string{"b": "two"}, quarantine: true},
		{name: "bad marker at the start", data: join(flip(first, 0), second), want: map[string]string{"b": "two"}, quarantine: true},
		{name: "hole and torn end", data: join(first, []byte("????"), second, third[:5]), want: map[string]string{"a": "one", "b": "two"}, torn: true, quarantine: true},
		{name: "something else", data: []byte("not a journal"), want: map[string]string{}, torn: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			var logs bytes.Buffer
			j, closeJournal := openJournal(t, path, &logs)
			if diff := cmp.Diff(test.want, j.contents()); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			// The journal is whole again with the next change.
			j.set("c", entry{value: []byte("three")})
			mustSync(t, j)
			closeJournal()
			want := maps.Clone(test.want)
			want["c"] = "three"
			if diff := cmp.Diff(want, contentsOf(t, path)); diff != "" {
				t.Errorf("contents after repair (-want +got):\n%s", diff)
			}

			if got := strings.Contains(logs.String(), "Cut an unfinished write"); got != test.torn {
				t.Errorf("a torn end in the log: %v, want %v; log:\n%s", got, test.torn, &logs)
			}
			kept, err := filepath.Glob(path + ".corrupt-*")
			if err != nil {
				t.Fatal(err)
			}
			if got := len(kept) == 1; got != test.quarantine {
				t.Fatalf("quarantined %v, want one file: %v", kept, test.quarantine)
			}
			if test.quarantine {
				data, err := os.ReadFile(kept[0])
				if err != nil || !bytes.Equal(data, test.data) {
					t.Errorf("quarantined file differs from the corrupt one (error %v)", err)
				}
				if !strings.Contains(logs.String(), filepath.Base(kept[0])) {
					t.Errorf("log does not name %s:\n%s", kept[0], &logs)
				}
			}
		})
	}
}

func FuzzReadRecords(f *testing.F) {
	whole := appendSet(nil, "silence/1", entry{value: []byte("x"), expires: time.UnixMilli(1)})
	whole = appendDelete(whole, "alert/2")
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append([]byte("garbage"), whole...))
	f.Add(bytes.Repeat(recordMarker, 5))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		var records int
		d := readRecords(data, func(r record) {
			records++
			if r.op == opDelete {
				again = appendDelete(again, r.key)
			} else {
				again = appendSet(again, r.key, r.entry)
			}
		})
		if d.tornBytes+d.holeBytes > len(data) || d.tornBytes < 0 || d.holeBytes < d.holes {
			t.Fatalf("impossible damage %+v to %d bytes", d, len(data))
		}
		// What was read, written again, reads the same and whole.
		if d := readRecords(again, func(record) { records-- }); d != (damage{}) || records != 0 {
			t.Fatalf("damage %+v and a difference of %d records after writing again", d, records)
		}
	})
}

func BenchmarkJournalSync(b *testing.B) {
	j, _ := openJournal(b, filepath.Join(b.TempDir(), "journal"), nil)
	value := []byte(strings.Repeat("v", 400))
	for i := 0; b.Loop(); i++ {
		j.set(fmt.Sprintf("key/%d", i%10000), entry{value: value})
		mustSync(b, j)
	}
}
