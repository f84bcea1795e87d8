package alerting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/units"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

func openLedger(t testing.TB, dir string) *ledger {
	t.Helper()
	l, err := newLedger(dir, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.stop)
	return l
}

func ids(t testing.TB, l *ledger, q DeliveryQuery) []string {
	t.Helper()
	found, err := l.query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, d := range found {
		list = append(list, d.ID)
	}
	return list
}

func TestLedgerQuery(t *testing.T) {
	l := openLedger(t, t.TempDir())
	start := time.Now().Round(0)
	for i, d := range []Delivery{
		{ID: "a", Receiver: "page", GroupKey: `{}:{x="<1>"}`, Outcome: OutcomeRetry},
		{ID: "a", Receiver: "page", GroupKey: `{}:{x="<1>"}`, Outcome: OutcomeDelivered, Alerts: []DeliveredAlert{{Fingerprint: "0000000000000007"}}},
		{ID: "b", Receiver: "mail", GroupKey: `{}:{}`, Outcome: OutcomeDelivered, Alerts: []DeliveredAlert{{Fingerprint: "0000000000000008"}}},
		{ID: "c", Receiver: "mail", GroupKey: `{}:{}`, Outcome: OutcomeRejected, Error: "page"},
	} {
		d.AttemptedAt = start.Add(time.Duration(i) * time.Minute)
		l.add(d)
	}
	for _, test := range []struct {
		name string
		q    DeliveryQuery
		want []string
	}{
		{"newest first", DeliveryQuery{}, []string{"c", "b", "a", "a"}},
		{"limit", DeliveryQuery{Limit: 2}, []string{"c", "b"}},
		{"receiver", DeliveryQuery{Receiver: "page"}, []string{"a", "a"}},
		{"group", DeliveryQuery{GroupKey: `{}:{x="<1>"}`}, []string{"a", "a"}},
		{"outcome", DeliveryQuery{Outcome: OutcomeDelivered}, []string{"b", "a"}},
		{"fingerprint", DeliveryQuery{Fingerprint: "0000000000000007"}, []string{"a"}},
		{"from", DeliveryQuery{From: start.Add(2 * time.Minute)}, []string{"c", "b"}},
		{"to", DeliveryQuery{To: start.Add(time.Minute)}, []string{"a", "a"}},
		{"ID", DeliveryQuery{ID: "b"}, []string{"b"}},
		{"nothing", DeliveryQuery{Receiver: "nobody"}, []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ids(t, l, test.q)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLedgerAgainstList writes for a month, with crashes, and compares the
// answers with a plain list.
func TestLedgerAgainstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := openLedger(t, dir)
		var want []string
		for i := range 200 {
			time.Sleep(3 * time.Hour)
			id := newMessageID(time.Now())
			l.add(Delivery{ID: id, AttemptedAt: time.Now(), Receiver: "r", Payload: string(bytes.Repeat([]byte("x"), i))})
			want = append(want, id)
			if i%40 == 39 { // A crash tears the last record.
				l.stop()
				tear(t, dir)
				want = want[:len(want)-1]
				l = openLedger(t, dir)
			}
		}
		slices.Reverse(want)
		if diff := cmp.Diff(want, ids(t, l, DeliveryQuery{Limit: 1000})); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		if got := ids(t, l, DeliveryQuery{ID: want[100]}); !slices.Equal(got, want[100:101]) {
			t.Errorf("by ID got %v, want %s", got, want[100])
		}
		l.trim(time.Now(), LedgerConfig{Retention: model.Duration(10 * 24 * time.Hour), MaxSize: 1 << 40})
		got := ids(t, l, DeliveryQuery{Limit: 1000})
		if n := len(got); n < 10*8-1 || n > 12*8 || !slices.Equal(got, want[:n]) {
			t.Errorf("%d records are left of ten days and a segment, want the newest 80 to 96", n)
		}
		l.trim(time.Now(), LedgerConfig{Retention: model.Duration(1000 * time.Hour), MaxSize: 0})
		if got := len(ids(t, l, DeliveryQuery{Limit: 1000})); got == 0 || got > 9 {
			t.Errorf("%d records are left in the newest segment, want some", got)
		}
	})
}

// tear cuts the last byte off the newest segment.
func tear(t testing.TB, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1]
	info, err := os.Stat(last)
	if err == nil {
		err = os.Truncate(last, info.Size()-1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestLedgerBoundsWhatItKeepsOfAnAttempt(t *testing.T) {
	if got, cut := beginning("täglich", 2); got != "t" || !cut {
		t.Errorf("got %q, %v; want whole characters", got, cut)
	}
	if got, cut := beginning("kurz", 4); got != "kurz" || cut {
		t.Errorf("got %q, %v; want all of it", got, cut)
	}
}

func BenchmarkLedgerQuery(b *testing.B) {
	l := openLedger(b, b.TempDir())
	payload := string(bytes.Repeat([]byte("x"), 2000))
	for i := range 50000 {
		l.add(Delivery{ID: fmt.Sprint(i), Receiver: "r", AttemptedAt: time.Now(), Payload: payload, Alerts: []DeliveredAlert{{Fingerprint: model.Fingerprint(i).String()}}})
	}
	b.Run("newest 100", func(b *testing.B) {
		for b.Loop() {
			ids(b, l, DeliveryQuery{})
		}
	})
	b.Run("oldest alert of "+units.Base2Bytes(50000*2300).String(), func(b *testing.B) {
		for b.Loop() {
			if got := ids(b, l, DeliveryQuery{Fingerprint: model.Fingerprint(1).String()}); len(got) != 1 {
				b.Fatalf("found %v", got)
			}
		}
	})
}

// FuzzOutboxState reads what a file may hold: whatever it is, the next state of
// the group can be merged with it.
func FuzzOutboxState(f *testing.F) {
	good, err := json.Marshal(&groupState{ID: "1", GroupKey: "{}:{}", Reason: "firing", Since: time.Unix(1, 0)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"alerts":[null]}`))
	f.Add([]byte(`{"alerts":[{"labels":{"a":"b"},"endsAt":"2020-01-01T00:00:00Z"}],"origins":{"7":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		old, err := decodeState(data)
		if err != nil {
			return
		}
		merged := (&groupState{ID: "2", GroupKey: "g"}).after(old)
		if merged.ID != "2" || merged.Superseded != old.Superseded+1 {
			t.Errorf("got %+v, want the newer state", merged)
		}
		if _, err := json.Marshal(merged); err != nil {
			t.Errorf("the merged state cannot be stored: %v", err)
		}
	})
}

// FuzzLedgerSegment has a query read any file.
func FuzzLedgerSegment(f *testing.F) {
	record := appendSet(nil, "id", entry{value: []byte(`{"id":"id","alerts":[{"fingerprint":"0000000000000007"}]}`)})
	f.Add(record)
	f.Add(append([]byte("torn"), record...))
	f.Add(record[:len(record)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		l := openLedger(t, t.TempDir())
		if err := os.WriteFile(filepath.Join(l.dir, segmentName(time.Unix(1, 0))), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := l.query(t.Context(), DeliveryQuery{Fingerprint: "0000000000000007"}); err != nil {
			t.Error(err)
		}
	})
}
