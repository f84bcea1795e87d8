package audit

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Long after all of it was proven, rows of the past are altered and lost. That would be
// seen with the next pass, in a day.
func TestStretchIsVerifiedWhenSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.halted = [2]time.Time{w.start.Add(90 * time.Minute), w.start.Add(95 * time.Minute)}
		a, _, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(10 * time.Minute)
		halt := "ETHUSDT 23:30-23:35 5 missing exchange"
		before := open(a)
		w.change(func() {
			w.lost[id("ETHUSDT", w.start.Add(97*time.Minute))] = true
			w.lost[id("ETHUSDT", w.start.Add(98*time.Minute))] = true
			w.altered[id("ETHUSDT", w.start.Add(99*time.Minute))] = true
		})
		time.Sleep(time.Minute)
		if diff := cmp.Diff(before, open(a)); diff != "" {
			t.Fatalf("the past is read again by itself (-before +after):\n%s", diff)
		}

		eth := Series{Source: "platform", Dataset: Klines, Market: "spot", Symbol: "ETHUSDT", Interval: "1m"}
		v, err := a.Verify(Span{eth, w.start.Add(80*time.Minute + 7*time.Second), w.start.Add(2 * time.Hour)})
		if want := w.start.Add(80 * time.Minute); err != nil || !v.From.Equal(want) {
			t.Fatalf("got %+v, %v, want whole bars from %s", v, err, want)
		}
		time.Sleep(5 * time.Second)
		want := append(before, "ETHUSDT 23:37-23:39 2 missing platform", "ETHUSDT 23:39-23:40 1 mismatch platform")
		if diff := cmp.Diff(want, open(a)); diff != "" {
			t.Errorf("open findings differ (-want +got):\n%s", diff)
		}
		if asked := a.Status().Datasets[0].Asked; len(asked) != 1 || asked[0].DoneAt.IsZero() || asked[0].Error != "" {
			t.Errorf("got %+v", asked)
		}

		// Asked again, the same findings are not there twice, and what was mended closes.
		w.change(func() { clear(w.altered) })
		if _, err := a.Verify(Span{eth, w.start.Add(92 * time.Minute), w.start.Add(98 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(Span{eth, w.start.Add(99 * time.Minute), w.start.Add(100 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if diff := cmp.Diff(want[:len(want)-1], open(a)); diff != "" {
			t.Errorf("open findings differ (-want +got):\n%s", diff)
		}
		if n := strings.Count(strings.Join(open(a), "\n"), halt); n > 1 {
			t.Errorf("the halt is there %d times", n)
		}
	})
}

func TestVerificationIsRefusedWithAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, _, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(2 * time.Minute)
		eth := Series{Source: "platform", Dataset: Klines, Market: "spot", Symbol: "ETHUSDT", Interval: "1m"}
		other := eth
		other.Symbol = "DOGEUSDT"
		for _, c := range []struct {
			stretch Span
			want    error
		}{
			{Span{other, w.start, w.start.Add(time.Hour)}, ErrUnknownSeries},
			{Span{eth, w.start.Add(-2 * time.Hour), w.start.Add(-time.Hour)}, ErrNothingThere},
			{Span{eth, w.start.Add(time.Hour), w.start}, ErrNothingThere},
			{Span{eth, time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)}, ErrNothingThere},
		} {
			if _, err := a.Verify(c.stretch); !errors.Is(err, c.want) {
				t.Errorf("%v: got %v, want %v", c.stretch, err, c.want)
			}
		}
		// A database that does not answer keeps them waiting in a queue that is bounded.
		w.change(func() { w.down = errors.New("connection refused") })
		for i := range maxAsked {
			if _, err := a.Verify(Span{eth, w.start.Add(time.Duration(i) * time.Minute), w.start.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Verify(Span{eth, w.start.Add(50 * time.Minute), w.start.Add(time.Hour)}); !errors.Is(err, ErrBusy) {
			t.Errorf("one more than %d: got %v", maxAsked, err)
		}
		time.Sleep(time.Hour)
		for _, v := range a.Status().Datasets[0].Asked {
			if v.Error != "connection refused" {
				t.Errorf("got %+v", v)
			}
		}
	})
}

func TestFindingsAreFilteredAndPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.halted = [2]time.Time{w.start.Add(time.Hour), w.start.Add(65 * time.Minute)}
		for i := range time.Duration(5) {
			w.lost[id("ETHUSDT", w.start.Add((100+2*i)*time.Minute))] = true
		}
		w.altered[id("BTCUSDT", w.start.Add(50*time.Minute))] = true
		a, _, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(time.Minute)
		w.change(func() { delete(w.lost, id("ETHUSDT", w.start.Add(100*time.Minute))) })
		time.Sleep(time.Minute)
		for _, c := range []struct {
			query Query
			want  int
		}{
			{Query{}, 7},
			{Query{State: Open}, 6},
			{Query{State: Closed}, 1},
			{Query{Series: Series{Symbol: "ETHUSDT"}}, 6}, // The halt is that of both.
			{Query{Series: Series{Symbol: "BTCUSDT"}, Cause: Platform}, 1},
			{Query{Kind: Mismatch}, 1},
			{Query{Cause: Exchange}, 1},
			{Query{Series: Series{Account: "a"}}, 0},
			{Query{Words: []string{"CLOSE", "btc"}}, 1},
			{Query{From: w.start.Add(101 * time.Minute), To: w.start.Add(103 * time.Minute)}, 1},
			{Query{State: Open, Limit: 4}, 4},
			{Query{State: Open, Offset: 4, Limit: 4}, 2},
			{Query{Offset: 100}, 0},
		} {
			if got := a.Find(c.query); len(got) != c.want {
				t.Errorf("%+v: got %d findings, want %d: %+v", c.query, len(got), c.want, got)
			}
		}
		for _, r := range a.Find(Query{Brief: true}) {
			if r.Evidence != "" || r.Plan != nil || r.From.IsZero() {
				t.Errorf("in brief: got %+v", r)
			}
		}
	})
}
