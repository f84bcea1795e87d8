package instrument

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func newSync(t testing.TB, cfg SyncConfig) (*Sync, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	s, err := NewSync(reg, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, reg
}

// A naive sequence keeps every row it has seen.
type naiveSequence struct {
	seen        map[int64]bool
	first, last int64
}

func (m *naiveSequence) add(n int64) (v verdict, missing int64) {
	switch {
	case len(m.seen) == 0:
		m.first, m.last = n, n
	case n < m.first:
		return history, m.missing()
	case m.seen[n]:
		return duplicate, m.missing()
	case n < m.last:
		v = late
	}
	m.last = max(m.last, n)
	m.seen[n] = true
	return v, m.missing()
}

func (m *naiveSequence) missing() int64 { return m.last - m.first + 1 - int64(len(m.seen)) }

func TestSequenceAgreesWithNaiveModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var s sequence
		model := naiveSequence{seen: make(map[int64]bool)}
		next := random.Int64N(100)
		for step := range 200 {
			n := next
			switch random.IntN(6) {
			case 0:
				n = next - random.Int64N(60) // Again, or late, or from before the start.
			case 1:
				n = next + random.Int64N(4) // Some are skipped.
			}
			next = max(next, n+1)
			wantVerdict, wantMissing := model.add(n)
			if got, _ := s.add(n); got != wantVerdict || s.missing != wantMissing {
				t.Fatalf("step %d, row %d: got %v with %d missing, want %v with %d", step, n, got, s.missing, wantVerdict, wantMissing)
			}
			if len(s.gaps) > maxGaps {
				t.Fatalf("got %d gaps in memory, want at most %d", len(s.gaps), maxGaps)
			}
		}
	}
}

func TestSequenceThatForgetsGapsStillCountsTheirRows(t *testing.T) {
	var s sequence
	for n := int64(0); n <= 1000; n += 2 { // Every second row is missing.
		s.add(n)
	}
	if len(s.gaps) != maxGaps || s.missing != 500 {
		t.Fatalf("got %d gaps and %d missing rows, want %d and 500", len(s.gaps), s.missing, maxGaps)
	}
	if v, _ := s.add(1); v != duplicate || s.missing != 500 {
		t.Errorf("got %v and %d missing for a row of a forgotten gap, want %v and still 500", v, s.missing, duplicate)
	}
	if v, _ := s.add(999); v != late || s.missing != 499 {
		t.Errorf("got %v and %d missing for a row of a gap, want %v and 499", v, s.missing, late)
	}
	var full sequence // All gaps are in use and one of them is split.
	for n := int64(0); n <= maxGaps*4; n += 4 {
		full.add(n)
	}
	if full.add(2); len(full.gaps) != maxGaps || full.missing != 3*maxGaps-1 {
		t.Errorf("got %d gaps and %d missing rows, want %d and %d", len(full.gaps), full.missing, maxGaps, 3*maxGaps-1)
	}
}

func TestLedgerTellsDuplicatesWithinItsMemory(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var l ledger
	var all []int64
	seen := make(map[int64]bool)
	next := int64(1000)
	for step := range 20_000 {
		id := next + random.Int64N(50)
		if len(all) > 0 && random.IntN(4) == 0 {
			id = all[len(all)-1-random.IntN(min(len(all), remembered/4))] + random.Int64N(2)
		}
		want := fresh
		switch {
		case seen[id]:
			want = duplicate
		case len(all) > 0 && id < all[0]:
			want = history
		case id < next:
			want = late
		}
		if got := l.add(id, id); got != want {
			t.Fatalf("step %d, id %d: got %v, want %v", step, id, got, want)
		}
		if want != duplicate {
			seen[id] = true
			all = append(all, id)
			slices.Sort(all[max(0, len(all)-remembered):])
		}
		next = max(next, id+1)
		if len(l.ids) >= 2*remembered {
			t.Fatalf("got %d ids in memory, want fewer than %d", len(l.ids), 2*remembered)
		}
	}
}

func TestLedgerDoesNotJudgeWhatItForgot(t *testing.T) {
	var l ledger
	for id := range int64(5 * remembered) {
		l.add(id, id)
	}
	if got := l.add(7, 7); got != history {
		t.Errorf("got %v for an id that was forgotten, want %v", got, history)
	}
}

func TestKlineTrackerShowsGapsLagAndTheNewestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reg := newSync(t, SyncConfig{})
		k, err := s.Kline(Dataset{Market: USDM, Symbol: "BTCUSDT", Interval: "1m"})
		if err != nil {
			t.Fatal(err)
		}
		const labels = `{dataset="klines",interval="1m",market="usdm",symbol="BTCUSDT"}`
		rows := func(outcome string) string {
			return `hedgewatch_sync_rows_total` + strings.Replace(labels, "symbol", `outcome="`+outcome+`",symbol`, 1)
		}
		wantSeries(t, reg, rows("duplicate"), 0)
		wantSeries(t, reg, "hedgewatch_sync_gaps_total"+labels, 0)
		wantSeries(t, reg, "hedgewatch_sync_missing_rows"+labels, 0)
		wantNoSeries(t, reg, "hedgewatch_sync_last_") // No row has come: unknown is not 1970.

		open := time.Now().Truncate(time.Minute).Add(-10 * time.Minute)
		bar := func(i int) time.Time { return open.Add(time.Duration(i) * time.Minute) }
		k.Resume(bar(0))
		time.Sleep(3 * time.Second)
		for _, i := range []int{
			2,  // Bar 1 opened a gap while we were down.
			3,  //
			6,  // Bars 4 and 5.
			4,  // It comes late.
			3,  // It came before.
			-9, // Backfill.
		} {
			k.Stored(bar(i))
		}
		wantSeries(t, reg, rows("new"), 3)
		wantSeries(t, reg, rows("out_of_order"), 1)
		wantSeries(t, reg, rows("duplicate"), 1)
		wantSeries(t, reg, rows("history"), 1)
		wantSeries(t, reg, "hedgewatch_sync_gaps_total"+labels, 2)
		wantSeries(t, reg, "hedgewatch_sync_missing_rows"+labels, 2)
		wantSeries(t, reg, "hedgewatch_sync_last_event_timestamp_seconds"+labels, seconds(bar(7)))
		wantSeries(t, reg, "hedgewatch_sync_last_row_timestamp_seconds"+labels, seconds(time.Now()))
		wantSeries(t, reg, `hedgewatch_sync_lag_seconds{dataset="klines",interval="1m",market="usdm"}`, 4)

		k.Remove()
		wantNoSeries(t, reg, "hedgewatch_sync_rows_total")
		wantNoSeries(t, reg, "hedgewatch_sync_last_")
		wantNoSeries(t, reg, "hedgewatch_sync_missing_rows")
	})
}

func TestEachKindOfRowIsTracked(t *testing.T) {
	s, reg := newSync(t, SyncConfig{})
	now := time.Now()
	trade, err := s.Trade(Dataset{Market: Spot, Symbol: "ETHUSDT"})
	if err != nil {
		t.Fatal(err)
	}
	aggregate, err := s.AggTrade(Dataset{Market: USDM, Symbol: "ETHUSDT"})
	if err != nil {
		t.Fatal(err)
	}
	fill, err := s.UserTrade(Dataset{Market: USDM, Account: "alpha", Symbol: "ETHUSDT"})
	if err != nil {
		t.Fatal(err)
	}
	income, err := s.Income(Dataset{Market: USDM, Account: "alpha"})
	if err != nil {
		t.Fatal(err)
	}
	trade.Resume(100)
	trade.Stored(103, now) // 101 and 102 are missing.
	aggregate.Stored(7, now)
	fill.Resume(50)
	for _, id := range []int64{49, 60, 80, 70, 80} { // Their ids have holes: no gap.
		fill.Stored(id, now)
	}
	income.Stored("FUNDING_FEE", 9, now)
	income.Stored("COMMISSION", 9, now)                    // The id is another type's.
	income.Stored("COMMISSION", 9, now)                    // The same again.
	income.Stored("COMMISSION", 4, now.Add(time.Second))   // A lower id is not disorder,
	income.Stored("COMMISSION", 5, now.Add(time.Second/2)) // an earlier time is.

	want := map[string]float64{
		`{dataset="trades",market="spot",outcome="new",symbol="ETHUSDT"}`:                               1,
		`{dataset="agg_trades",market="usdm",outcome="new",symbol="ETHUSDT"}`:                           1,
		`{account="alpha",dataset="user_trades",market="usdm",outcome="duplicate",symbol="ETHUSDT"}`:    1,
		`{account="alpha",dataset="user_trades",market="usdm",outcome="history",symbol="ETHUSDT"}`:      1,
		`{account="alpha",dataset="user_trades",market="usdm",outcome="new",symbol="ETHUSDT"}`:          2,
		`{account="alpha",dataset="user_trades",market="usdm",outcome="out_of_order",symbol="ETHUSDT"}`: 1,
		`{account="alpha",dataset="incomes",market="usdm",outcome="duplicate"}`:                         1,
		`{account="alpha",dataset="incomes",market="usdm",outcome="new"}`:                               3,
		`{account="alpha",dataset="incomes",market="usdm",outcome="out_of_order"}`:                      1,
	}
	got := make(map[string]float64)
	for series, value := range exposed(t, reg) {
		if labels, ok := strings.CutPrefix(series, "hedgewatch_sync_rows_total"); ok && value > 0 {
			got[labels] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantSeries(t, reg, `hedgewatch_sync_missing_rows{dataset="trades",market="spot",symbol="ETHUSDT"}`, 2)
	wantNoSeries(t, reg, `hedgewatch_sync_missing_rows{account=`) // Nobody can know.
	for _, remove := range []func(){trade.Remove, aggregate.Remove, fill.Remove, income.Remove} {
		remove()
	}
	wantNoSeries(t, reg, "hedgewatch_sync_rows_total")
}

func TestIncomeTypesAreBounded(t *testing.T) {
	s, _ := newSync(t, SyncConfig{})
	income, err := s.Income(Dataset{Market: USDM, Account: "alpha"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 * maxIncomeTypes {
		income.Stored(strings.Repeat("X", i), int64(i), time.Now())
	}
	if got := len(income.ledgers); got > maxIncomeTypes+1 {
		t.Errorf("got %d income types in memory, want at most %d", got, maxIncomeTypes+1)
	}
}

func TestTrackersAreRefusedWithWhatToDo(t *testing.T) {
	s, _ := newSync(t, SyncConfig{MaxTrackers: 2})
	btc := Dataset{Market: Spot, Symbol: "BTCUSDT", Interval: "1m"}
	first, err := s.Kline(btc)
	if err != nil {
		t.Fatal(err)
	}
	kline := func(d Dataset) error { _, err := s.Kline(d); return err }
	trade := func(d Dataset) error { _, err := s.Trade(d); return err }
	fill := func(d Dataset) error { _, err := s.UserTrade(d); return err }
	income := func(d Dataset) error { _, err := s.Income(d); return err }
	tests := []struct {
		name  string
		track func(Dataset) error
		of    Dataset
		want  string
	}{
		{"twice", kline, btc, "track klines spot BTCUSDT 1m: it is tracked already"},
		{"no market", kline, Dataset{Symbol: "BTCUSDT", Interval: "1m"}, "use Spot, USDM or COINM"},
		{"no symbol", trade, Dataset{Market: Spot}, `Symbol is ""`},
		{"no account", fill, Dataset{Market: Spot, Symbol: "BTCUSDT"}, `Account is ""`},
		{"a symbol too many", income, Dataset{Market: Spot, Account: "a", Symbol: "BTCUSDT"}, `Symbol is "BTCUSDT"`},
		{"an interval too many", trade, btc, "only klines have one"},
		{"bad interval", kline, Dataset{Market: Spot, Symbol: "BTCUSDT", Interval: "1x"}, `interval "1x"; use one of 12h, 15m`},
		{"no interval", kline, Dataset{Market: Spot, Symbol: "BTCUSDT"}, `interval ""; use one of`},
		{"second of two", kline, Dataset{Market: Spot, Symbol: "ETHUSDT", Interval: "1m"}, ""},
		{"third of two", kline, Dataset{Market: Spot, Symbol: "SOLUSDT", Interval: "1m"}, "raise SyncConfig.MaxTrackers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.track(test.of)
			if test.want == "" {
				if err != nil {
					t.Errorf("got error %v, want none", err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
	first.Remove()
	if err := kline(btc); err != nil {
		t.Errorf("track again after Remove: %v", err)
	}
}

func TestIntervalsFollowTheCalendar(t *testing.T) {
	at := func(date string) time.Time {
		open, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return open
	}
	tests := []struct {
		interval         string
		open, next, over string
	}{
		{"1d", "2024-02-28", "2024-02-29", "2024-02-29"},
		{"3d", "2024-02-27", "2024-03-01", "2024-03-01"},
		{"1w", "2026-11-16", "2026-11-23", "2026-11-23"},
		{"1M", "2023-12-01", "2024-01-01", "2024-01-01"},
	}
	for _, test := range tests {
		t.Run(test.interval, func(t *testing.T) {
			i, err := parseInterval(test.interval)
			if err != nil {
				t.Fatal(err)
			}
			if got := i.number(at(test.next)) - i.number(at(test.open)); got != 1 {
				t.Errorf("got %d intervals from one bar to the next, want 1", got)
			}
			if got := i.end(at(test.open)); !got.Equal(at(test.over)) {
				t.Errorf("got end %v, want %v", got, test.over)
			}
		})
	}
}

func TestTrackersAreSafeForConcurrentUse(t *testing.T) {
	s, reg := newSync(t, SyncConfig{})
	trade, err := s.Trade(Dataset{Market: Spot, Symbol: "BTCUSDT"})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for worker := range int64(4) {
		wait.Go(func() {
			for i := range int64(500) {
				trade.Stored(i*4+worker, time.Now())
			}
		})
	}
	for range 20 {
		exposed(t, reg)
	}
	wait.Wait()
	if got := total(t, reg, "hedgewatch_sync_rows_total"); got != 2000 {
		t.Errorf("got %v rows, want 2000", got)
	}
}
