package journal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string, wantDamaged int) *journal.Journal {
	t.Helper()
	j, damaged, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	if damaged != wantDamaged {
		t.Errorf("got %d damaged bytes, want %d", damaged, wantDamaged)
	}
	return j
}

func set(t *testing.T, j *journal.Journal, key string, value any) {
	t.Helper()
	c, err := journal.Set(key, value)
	if err == nil {
		err = j.Write(c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestReopenedJournalHoldsWhatWasWritten compares with a map, without a Close
// between writing and reading, as after a crash.
func TestReopenedJournalHoldsWhatWasWritten(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "journal")
			random := rand.New(rand.NewPCG(seed, 0))
			j, model := open(t, path, 0), map[string]json.RawMessage{}
			for range 100 {
				key := fmt.Sprintf("key \"%d\"", random.IntN(20))
				change := journal.Change{Key: key}
				if random.IntN(3) > 0 {
					change.Value = json.RawMessage(fmt.Sprintf(`{"n":%d,"filler":"%0*d"}`, random.IntN(1000), random.IntN(60000)+1, 0))
				}
				if err := j.Write(change); err != nil {
					t.Fatal(err)
				}
				if model[key] = change.Value; change.Value == nil {
					delete(model, key)
				}
				if random.IntN(10) == 0 {
					j = open(t, path, 0)
				}
				if got := j.All(); !maps.EqualFunc(model, got, slices.Equal) {
					t.Fatalf("got keys %v, want %v, each with its last value", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(model)))
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() > 4<<20 {
				t.Errorf("the file has %d bytes for at most 20 records of 60 kB; it is not rewritten", info.Size())
			}
		})
	}
}

func TestDamageCostsOnlyTheDamagedRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, 0)
	set(t, j, "a", 1)
	set(t, j, "b", 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := len(whole) / 2
	flipped := append([]byte{}, whole...)
	flipped[first/2] ^= 1
	tests := []struct {
		name    string
		text    []byte
		damaged int
		want    map[string]json.RawMessage
	}{
		{"interrupted write", whole[:len(whole)-3], first - 3, map[string]json.RawMessage{"a": json.RawMessage("1")}},
		{"flipped bit", flipped, first, map[string]json.RawMessage{"b": json.RawMessage("2")}},
		{"empty", nil, 0, map[string]json.RawMessage{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, tt.text, 0o600); err != nil {
				t.Fatal(err)
			}
			j := open(t, path, tt.damaged)
			if diff := cmp.Diff(tt.want, j.All()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			set(t, j, "c", 3)
			if got := open(t, path, 0).All(); len(got) != len(tt.want)+1 {
				t.Errorf("after the next write got %v", got)
			}
		})
	}
}

func TestRefusedWriteIsMadeGoodByTheNext(t *testing.T) {
	synctest.Test(t, testRefusedWrite)
}

func testRefusedWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "journal")
	j := open(t, path, 0)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	c, err := journal.Set("a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Write(c); err == nil {
		t.Error("got no error without a directory")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	set(t, j, "b", 2)
	want := map[string]json.RawMessage{"a": json.RawMessage("1"), "b": json.RawMessage("2")}
	if diff := cmp.Diff(want, open(t, path, 0).All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte("xxxxxxxx \n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		j, damaged, err := journal.Open(path)
		if err != nil || damaged > len(text) {
			t.Fatalf("got %d damaged of %d bytes, error %v", damaged, len(text), err)
		}
		if len(j.All()) > 0 && damaged == len(text) {
			t.Error("records came out of damage")
		}
	})
}
