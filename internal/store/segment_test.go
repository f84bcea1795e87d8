package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// segmentOf writes records as the library does.
func segmentOf(t testing.TB, packing compression.Type, records ...[]byte) []byte {
	t.Helper()
	dir := t.TempDir()
	w, err := wlog.NewSize(promslog.NewNopLogger(), nil, dir, 1024*pageBytes, packing)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Log(records...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(wlog.SegmentName(dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// randomRecords are small, near the size of a page, and of several pages.
func randomRecords(rng *rand.Rand, n int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		size := 1 + rng.IntN(300)
		switch rng.IntN(8) {
		case 0:
			size = pageBytes - 20 + rng.IntN(40)
		case 1:
			size = 3 * pageBytes
		}
		rec := make([]byte, size)
		for j := range rec {
			rec[j] = byte(rng.IntN(7)) // Compressible.
		}
		records[i] = rec
	}
	return records
}

func readAll(b []byte) ([][]byte, []damage) {
	var records [][]byte
	s := newSegment(bytes.NewReader(b))
	for s.next() {
		records = append(records, bytes.Clone(s.rec))
	}
	return records, s.damages
}

func TestSegmentReadsWhatTheLibraryWrote(t *testing.T) {
	for _, packing := range compression.Types() {
		for seed := range uint64(5) {
			want := randomRecords(rand.New(rand.NewPCG(seed, 0)), 40)
			got, damages := readAll(segmentOf(t, packing, want...))
			if len(damages) > 0 {
				t.Errorf("%s, seed %d: got damages %v in an intact segment", packing, seed, damages)
			}
			if !slices.EqualFunc(want, got, bytes.Equal) {
				t.Fatalf("%s, seed %d: got %d records that differ from the %d written", packing, seed, len(got), len(want))
			}
		}
	}
}

// TestSegmentLosesOnlyWhatADamageHit inverts one bit anywhere. At most the
// record it is in and, if its length is hit, those behind it on its page may go.
func TestSegmentLosesOnlyWhatADamageHit(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	records := randomRecords(rng, 200)
	intact := segmentOf(t, compression.Snappy, records...)
	for range 500 {
		b := bytes.Clone(intact)
		at := rng.IntN(len(b))
		b[at] ^= 1 << rng.IntN(8)
		got, damages := readAll(b)
		if len(got) == len(records) {
			continue // A bit that nothing depends on, such as in padding.
		}
		if len(damages) == 0 {
			t.Fatalf("bit at %d: %d of %d records without any damage noted", at, len(got), len(records))
		}
		// What is left is the beginning and the end of what was there.
		head := 0
		for head < len(got) && bytes.Equal(got[head], records[head]) {
			head++
		}
		tail := 0
		for tail < len(got)-head && bytes.Equal(got[len(got)-1-tail], records[len(records)-1-tail]) {
			tail++
		}
		// The flag that says how a record is packed is outside its checksum, as
		// in the library, so that one record may be read wrong.
		if head+tail < len(got)-1 {
			t.Fatalf("bit at %d: %d of %d records, the first %d and the last %d are what was written; damages %v", at, len(got), len(records), head, tail, damages)
		}
		// Stored length of the lost records: less than two pages and the record
		// that crosses into them.
		lostBytes := 0
		for _, rec := range records[head : len(records)-tail] {
			lostBytes += len(rec)
		}
		if lostBytes > 64*pageBytes/8 {
			t.Errorf("bit at %d: lost %d records with %d bytes", at, len(records)-len(got), lostBytes)
		}
	}
}

func TestSegmentTellsATornEndFromDamage(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{2, 3, 5, 7, 11}, 3*pageBytes/5)
	b := segmentOf(t, compression.None, first, second)
	b = bytes.TrimRight(b, "\x00")
	start := headerBytes + len(first)
	for _, tc := range []struct {
		name string
		b    []byte
		want []damage
	}{
		{"whole", b, nil},
		{"before the second", b[:start], nil},
		{"in its header", b[:start+3], []damage{{offset: int64(start), reason: "a record header is cut off", torn: true}}},
		{"in its data", b[:start+300], []damage{{offset: int64(start), reason: "the checksum of a record is wrong", torn: true}}},
		{"at the end of a page", b[:2*pageBytes], []damage{{offset: int64(start), reason: "the last record is cut off", torn: true}}},
		{"in its last fragment", b[:len(b)-1], []damage{{offset: int64(start), reason: "the checksum of a record is wrong", torn: true}}},
		{
			"another record follows a record without end",
			append(bytes.Clone(b[:pageBytes]), segmentOf(t, compression.None, first)...),
			[]damage{{offset: int64(start), reason: "a record has no end"}},
		},
		{"middle without beginning", b[pageBytes:], []damage{{offset: 0, reason: "a record has no beginning"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, got := readAll(tc.b)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(damage{})); diff != "" {
				t.Errorf("damages (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzSegment holds the reader to the library's: it never finds less than the
// library finds before it gives up, and what it calls intact, the library does.
func FuzzSegment(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, packing := range compression.Types() {
		b := segmentOf(f, packing, bytes.Repeat([]byte{1}, 100), []byte("another"), make([]byte, rng.IntN(pageBytes)+1))
		f.Add(bytes.TrimRight(b, "\x00")) // Small seeds are fuzzed faster.
		f.Add(b[:200])
	}
	f.Add([]byte{fragFirst, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, damages := readAll(b)
		padded := append(bytes.Clone(b), make([]byte, -len(b)&(pageBytes-1))...) // As the library reads a segment.
		r := wlog.NewReader(bytes.NewReader(padded))
		for i := 0; r.Next(); i++ {
			if len(r.Record()) == 0 {
				return // The library has no fixed idea of an empty record.
			}
			if i >= len(got) || !bytes.Equal(r.Record(), got[i]) {
				t.Fatalf("record %d differs from the library's", i)
			}
		}
		if r.Err() != nil && len(damages) == 0 {
			t.Fatalf("no damage noted, but the library says %v", r.Err())
		}
	})
}
