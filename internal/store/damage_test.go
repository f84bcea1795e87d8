package store_test

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

const (
	dataSeries  = 100
	dataSeconds = 600
	dataStart   = 1_700_000_040_000 // A full minute.
	dataEnd     = dataStart + dataSeconds*1000
	dataLate    = 30 // Samples out of order.

	dataYAML = "storage: {tsdb: {out_of_order_time_window: 2m}}"
)

// dataConfig makes blocks of a minute and small segments, so that a little data
// fills every kind of file.
func dataConfig(dir string) store.Config {
	return store.Config{
		Dir: dir, WALSegmentBytes: 128 << 10,
		MinBlockDuration: time.Minute, MaxBlockDuration: time.Minute,
	}
}

// fill makes a data directory with blocks, a checkpoint, log segments, head
// chunks and out-of-order data, and returns how many samples it holds.
func fill(t *testing.T, dir string) int {
	t.Helper()
	r := start(t, dataConfig(dir), dataYAML)
	refs := make([]storage.SeriesRef, dataSeries)
	series := make([]labels.Labels, dataSeries)
	for i := range series {
		series[i] = labels.FromStrings(model.MetricNameLabel, "m", "i", strconv.Itoa(i))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for s := int64(0); s <= dataSeconds; s++ {
		app := r.Appender(t.Context())
		for i, ls := range series {
			var err error
			if refs[i], err = app.Append(refs[i], ls, dataStart+s*1000, rng.Float64()); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if s%60 == 0 { // Else the layout depends on the scheduler.
			within(t, "compaction", func() bool {
				return r.gauge("prometheus_tsdb_head_min_time_seconds") >= float64(dataStart/1000+s-100)
			})
		}
	}
	// A stop ends the compaction, which would move late samples to a block.
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dataConfig(dir), dataYAML)
	for s := int64(1); s <= dataLate; s++ {
		if err := r.append("late", dataEnd-s*1000, 1); err != nil {
			t.Fatal(err)
		}
	}
	samples := r.count(`{__name__=~"m|late"}`, dataEnd)
	if want := dataSeries*(dataSeconds+1) + dataLate; samples != want {
		t.Fatalf("got %d samples before any damage, want %d", samples, want)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"wal/0*", "wal/checkpoint.*/0*", "wbl/0*", "chunks_head/0*", "0*/index"} {
		if m, _ := filepath.Glob(filepath.Join(dir, pattern)); len(m) == 0 {
			t.Fatalf("no %s in the test data", pattern)
		}
	}
	return samples
}

// within polls, because the library compacts when it likes.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s in time", what)
		}
	}
}

// file finds the n-th file that matches pattern and has content; negative n
// counts from the end.
func file(t *testing.T, dir, pattern string, n int) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(path string) bool {
		fi, err := os.Stat(path)
		return err != nil || fi.Size() == 0
	})
	if n < 0 {
		n += len(all)
	}
	if n < 0 || n >= len(all) {
		t.Fatalf("%d files match %s", len(all), pattern)
	}
	return all[n]
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(f(b)))
}

// flip inverts a bit at a part of the file between 0 and 1.
func flip(at float64) func([]byte) []byte {
	return func(b []byte) []byte {
		b[int(at*float64(len(b)-1))] ^= 0x10
		return b
	}
}

// flipLast inverts a bit of the last byte that is not zero.
func flipLast(b []byte) []byte {
	b[len(bytes.TrimRight(b, "\x00"))-1] ^= 0x10
	return b
}

func cut(at float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(at*float64(len(b)))] }
}

// commitSamples is what the loss of one record costs.
const commitSamples = dataSeries

func TestDamageIsSetAsideAndTheRestIsKept(t *testing.T) {
	data := t.TempDir()
	samples := fill(t, data)
	blockSamples := dataSeries * 60

	// damaged files of a case must be found in quarantine, bit by bit.
	for _, tc := range []struct {
		name    string
		damage  func(t *testing.T, dir string) (damaged []string)
		kinds   []string
		maxLost int
		log     string
	}{
		{
			name: "bit in the middle of a log segment",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wal/0*", 0)
				change(t, f, flip(0.5))
				return []string{f}
			},
			kinds: []string{"wal"}, maxLost: 2 * commitSamples,
		},
		{
			name: "bit in the last record of the log",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wal/0*", -1)
				change(t, f, flipLast)
				return []string{f}
			},
			kinds: []string{"wal"}, maxLost: 1,
		},
		{
			name: "log segment cut in half",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wal/0*", 0)
				change(t, f, cut(0.5))
				return []string{f}
			},
			kinds: []string{"wal"}, maxLost: 150 * commitSamples,
		},
		{
			name: "end of the log cut off, as by a kill",
			damage: func(t *testing.T, dir string) []string {
				change(t, file(t, dir, "wal/0*", -1), func(b []byte) []byte {
					b = bytes.TrimRight(b, "\x00")
					return b[:len(b)-3]
				})
				return nil
			},
			maxLost: 1, log: "it was not acknowledged",
		},
		{
			name: "zeros in the log",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wal/0*", 0)
				change(t, f, func(b []byte) []byte {
					clear(b[len(b)/4 : len(b)/3])
					return b
				})
				return []string{f}
			},
			kinds: []string{"wal"}, maxLost: 60 * commitSamples,
		},
		{
			name: "log segment of noise",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wal/0*", 0)
				change(t, f, func(b []byte) []byte {
					rng := rand.NewChaCha8([32]byte{1})
					_, _ = rng.Read(b) // Never fails.
					return b
				})
				return []string{f}
			},
			kinds: []string{"wal"}, maxLost: 150 * commitSamples,
		},
		{
			name: "log segment missing",
			damage: func(t *testing.T, dir string) []string {
				if err := os.Remove(file(t, dir, "wal/0*", 0)); err != nil {
					t.Fatal(err)
				}
				return nil
			},
			maxLost: 150 * commitSamples, log: "Log segments are missing",
		},
		{
			name: "record that passes the checksum but means nothing",
			damage: func(t *testing.T, dir string) []string {
				wal := filepath.Join(dir, "wal")
				_, last, err := wlog.Segments(wal)
				if err != nil {
					t.Fatal(err)
				}
				w, err := wlog.NewSize(promslog.NewNopLogger(), nil, wal, 128<<10, compression.None)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Log([]byte{byte(record.Samples), 1, 2, 3}); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				return []string{wlog.SegmentName(wal, last+1)}
			},
			// The library repairs this itself, and then does not read the
			// out-of-order log before the next start.
			kinds: []string{"wal"}, maxLost: dataLate,
		},
		{
			name: "remains of an interrupted repair",
			damage: func(t *testing.T, dir string) []string {
				f := filepath.Join(dir, "wal", "00000007.repair")
				write(t, f, "something")
				return []string{f}
			},
			kinds: []string{"wal"},
		},
		{
			name: "bit in the checkpoint",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wal/checkpoint.*/0*", 0)
				change(t, f, flipLast)
				return []string{f}
			},
			// A lost series takes its samples with it that are only in the log.
			kinds: []string{"checkpoint"}, maxLost: dataSeries * 100,
		},
		{
			name: "checkpoint missing",
			damage: func(t *testing.T, dir string) []string {
				if err := os.RemoveAll(filepath.Dir(file(t, dir, "wal/checkpoint.*/0*", 0))); err != nil {
					t.Fatal(err)
				}
				return nil
			},
			// Without their series the samples of the head mean nothing.
			maxLost: dataSeries*150 + dataLate, log: "Log segments are missing",
		},
		{
			name: "bit in the out-of-order log",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "wbl/0*", 0)
				change(t, f, flip(0.001))
				return []string{f}
			},
			kinds: []string{"wbl"}, maxLost: 2,
		},
		{
			name: "bit in a head chunk",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "chunks_head/0*", 0)
				change(t, f, func(b []byte) []byte {
					b[60] ^= 0x10
					return b
				})
				return headChunksFrom(t, dir, 0)
			},
			kinds: []string{"chunks_head"},
		},
		{
			name: "bit in the header of a head chunk file",
			damage: func(t *testing.T, dir string) []string {
				change(t, file(t, dir, "chunks_head/0*", 0), flip(0))
				return headChunksFrom(t, dir, 0)
			},
			kinds: []string{"chunks_head"},
		},
		{
			name: "head chunk file cut off in its header",
			damage: func(t *testing.T, dir string) []string {
				change(t, file(t, dir, "chunks_head/0*", 0), func(b []byte) []byte { return b[:6] })
				return headChunksFrom(t, dir, 0)
			},
			kinds: []string{"chunks_head"},
		},
		{
			name: "bit in the index of a block",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "0*/index", 1)
				change(t, f, flip(1))
				return []string{f}
			},
			kinds: []string{"block"}, maxLost: blockSamples,
		},
		{
			name: "index of a block missing",
			damage: func(t *testing.T, dir string) []string {
				if err := os.Remove(file(t, dir, "0*/index", 2)); err != nil {
					t.Fatal(err)
				}
				return nil
			},
			kinds: []string{"block"}, maxLost: blockSamples,
		},
		{
			name: "meta file of a block cut off",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "0*/meta.json", 1)
				change(t, f, cut(0.5))
				return []string{f}
			},
			kinds: []string{"block"}, maxLost: blockSamples,
		},
		{
			name: "header of the chunks of a block",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "0*/chunks/000001", 1)
				change(t, f, flip(0))
				return []string{f}
			},
			kinds: []string{"block"}, maxLost: blockSamples,
		},
		{
			name: "tombstones of a block",
			damage: func(t *testing.T, dir string) []string {
				f := file(t, dir, "0*/tombstones", 1)
				change(t, f, flip(1))
				return []string{f}
			},
			kinds: []string{"block"}, maxLost: blockSamples,
		},
		{
			name: "leftovers of an interrupted compaction",
			damage: func(t *testing.T, dir string) []string {
				write(t, filepath.Join(dir, "01HF0000000000000000000000.tmp-for-creation", "index"), "half")
				write(t, filepath.Join(dir, "wal", "checkpoint.00009999.tmp", "00000000"), "half")
				return nil
			},
		},
		{
			name: "everything at once",
			damage: func(t *testing.T, dir string) (damaged []string) {
				for _, pattern := range []string{"wal/0*", "wal/checkpoint.*/0*", "wbl/0*", "0*/index"} {
					f := file(t, dir, pattern, 0)
					change(t, f, flipLast)
					damaged = append(damaged, f)
				}
				change(t, file(t, dir, "chunks_head/0*", 0), flip(0))
				return append(damaged, headChunksFrom(t, dir, 0)...)
			},
			kinds: []string{"block", "checkpoint", "chunks_head", "wal", "wbl"}, maxLost: samples / 2,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(data)); err != nil {
				t.Fatal(err)
			}
			var want [][sha256.Size]byte
			for _, path := range tc.damage(t, dir) {
				want = append(want, sum(t, path))
			}

			r := start(t, dataConfig(dir), dataYAML)
			left := r.count(`{__name__=~"m|late"}`, dataEnd)
			if lost := samples - left; lost > tc.maxLost {
				t.Errorf("lost %d of %d samples, want at most %d", lost, samples, tc.maxLost)
			} else {
				t.Logf("lost %d of %d samples", lost, samples)
			}
			checkQuarantine(t, r, dir, tc.kinds, want)
			if tc.log != "" && r.log.count(tc.log) != 1 {
				t.Errorf("want %q once in the log", tc.log)
			}
			r.mustAppend("after", dataEnd+1000, 1)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}

			again := start(t, dataConfig(dir), dataYAML)
			if got := again.count(`{__name__=~"m|late"}`, dataEnd); got < left {
				t.Errorf("after another start got %d samples, want at least %d", got, left)
			}
			if got := again.query("after", dataEnd+1000); !strings.HasPrefix(got, "after => 1 ") {
				t.Errorf("after another start got %q, want the sample", got)
			}
			checkQuarantine(t, again, dir, tc.kinds, want)
			if n := again.log.count("level=ERROR"); n > 0 {
				t.Errorf("got %d errors at the second start, want none", n)
			}
		})
	}
}

// TestABitInTheLogCostsOnlyItsRecord has all samples in the log and nowhere
// else. The library alone loses everything behind the bit.
func TestABitInTheLogCostsOnlyItsRecord(t *testing.T) {
	const series, commits = 300, 100
	cfg := func(dir string) store.Config { return store.Config{Dir: dir, WALSegmentBytes: 64 << 10} }
	data := t.TempDir()
	r := start(t, cfg(data), "")
	for n := int64(0); n < commits; n++ {
		app := r.Appender(t.Context())
		for i := range series {
			ls := labels.FromStrings(model.MetricNameLabel, "m", "i", strconv.Itoa(i))
			if _, err := app.Append(0, ls, dataStart+n*1000, float64(i)*1.1+float64(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	rng := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(data)); err != nil {
			t.Fatal(err)
		}
		at := 0.05 + 0.9*rng.Float64()
		change(t, file(t, dir, "wal/0*", 1), flip(at))
		r := start(t, cfg(dir), "")
		lost := series*commits - r.count("m", dataEnd)
		if lost < series || lost > 2*series {
			t.Errorf("bit at %.3f: lost %d samples, want one or two commits of %d", at, lost, series)
		}
		q := r.Quarantined()
		if len(q) != 1 {
			t.Fatalf("got quarantined %v, want one", q)
		}
		if q[0].MinTime.IsZero() {
			t.Error("got no time for what is lost")
		}
		if q[0].MaxTime.IsZero() {
			continue // The last record of the segment was hit.
		}
		if span := q[0].MaxTime.Sub(q[0].MinTime); span < time.Second || span > 3*time.Second {
			t.Errorf("got %s to %s as the time of what is lost, want two or three seconds", q[0].MinTime, q[0].MaxTime)
		}
	}
}

func TestCrashWhileOpeningIsHarmless(t *testing.T) {
	dir := t.TempDir()
	samples := fill(t, dir)
	// As if the process had died between the library's repair, which replaced
	// one segment and deleted a head chunk file, and the end of opening.
	hold := func(rel string) {
		to := filepath.Join(dir, "quarantine", ".guard", rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, rel), to); err != nil {
			t.Fatal(err)
		}
	}
	rel := func(path string) string {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		return rel
	}
	segment, kept := file(t, dir, "wal/0*", -1), file(t, dir, "wal/0*", 0)
	chunk := file(t, dir, "chunks_head/0*", -1)
	sums := [][sha256.Size]byte{sum(t, segment), sum(t, chunk)}
	for _, path := range []string{segment, kept, chunk} {
		hold(rel(path))
	}
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{segment, chunk} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	write(t, segment, string(b))
	// And a repair of ours that was not complete.
	write(t, filepath.Join(dir, "quarantine", ".salvage", "00000000"), "half")
	write(t, filepath.Join(dir, "quarantine", "20260101T000000.000000000Z-wal", "incident.json"), `{"kind": "wal", "pa`)
	change(t, kept, flip(0.5))
	damaged := sum(t, kept)

	r := start(t, dataConfig(dir), dataYAML)
	if got := r.count(`{__name__=~"m|late"}`, dataEnd); got < samples-2*commitSamples {
		t.Errorf("got %d of %d samples", got, samples)
	}
	if err := os.RemoveAll(filepath.Join(dir, "quarantine", "20260101T000000.000000000Z-wal")); err != nil {
		t.Fatal(err)
	}
	checkQuarantine(t, r, dir, []string{"chunks_head", "wal", "wal"}, append(sums, damaged))
}

// headChunksFrom lists the n-th head chunk file and all after it.
func headChunksFrom(t *testing.T, dir string, n int) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "chunks_head/0*"))
	if err != nil || len(all) <= n {
		t.Fatalf("got head chunk files %v, %v", all, err)
	}
	return all[n:]
}

func sum(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// checkQuarantine wants the kinds listed, counted and logged, and a file of
// each checksum to lie there.
func checkQuarantine(t *testing.T, r *running, dir string, wantKinds []string, sums [][sha256.Size]byte) {
	t.Helper()
	have := map[[sha256.Size]byte]bool{}
	quarantine := filepath.Join(dir, "quarantine")
	if err := filepath.WalkDir(quarantine, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			have[sum(t, path)] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range sums {
		if !have[want] {
			t.Error("a damaged file is not in quarantine")
		}
	}
	var got []string
	perKind := map[string]float64{}
	for _, f := range r.Quarantined() {
		got = append(got, f.Kind)
		perKind[f.Kind]++
		if f.SizeBytes == 0 || f.Found == "" || f.Lost == "" || f.Time.IsZero() {
			t.Errorf("quarantined file is not described: %+v", f)
		}
		if f.Kind == "block" && f.MinTime.IsZero() {
			t.Errorf("the time of block %s is unknown", f.From)
		}
		readme, err := os.ReadFile(filepath.Join(filepath.Dir(f.Path), "README.txt"))
		if err != nil || !strings.Contains(string(readme), f.Found) {
			t.Errorf("got README %q, %v, want what was found in it", readme, err)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(wantKinds, got); diff != "" {
		t.Errorf("quarantined kinds (-want +got):\n%s", diff)
	}
	for _, kind := range []string{"block", "wal", "wbl", "chunks_head", "checkpoint"} {
		if got := r.gauge("hedgewatch_store_quarantined_files", "kind", kind); got != perKind[kind] {
			t.Errorf("got gauge %v for %s, want %v", got, kind, perKind[kind])
		}
	}
	if leftovers, _ := filepath.Glob(filepath.Join(quarantine, ".*")); len(leftovers) > 0 {
		t.Errorf("left over: %v", leftovers)
	}
}
