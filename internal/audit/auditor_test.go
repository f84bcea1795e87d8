package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// world is an exchange and a platform that stores its data. The platform does it
// without a flaw until a test takes something away.
type world struct {
	t       *testing.T
	start   time.Time
	symbols []string

	mu      sync.Mutex
	lost    map[string]bool // symbol and minute that the platform has not
	altered map[string]bool
	stopped time.Time        // The platform stores nothing from then on.
	halted  [2]time.Time     // The exchange makes no bars.
	down    error            // The database does not answer.
	fills   map[int64]string // id to price, of the exchange
	stored  map[int64]string // of the platform
	weight  int64
	alarms  map[string]Alarm
	repair  func(ctx context.Context, key string, plan []byte) error
}

func newWorld(t *testing.T) *world {
	time.Sleep(time.Until(time.Date(2026, 11, 22, 10, 0, 3, 0, time.UTC))) // Virtual time is in 2000.
	return &world{
		t: t, start: time.Now().Truncate(time.Minute).Add(-36 * time.Hour), symbols: []string{"BTCUSDT", "ETHUSDT"},
		lost: map[string]bool{}, altered: map[string]bool{}, fills: map[int64]string{}, stored: map[int64]string{}, alarms: map[string]Alarm{},
	}
}

const secret = "not-so-secret"

func id(symbol string, at time.Time) string { return symbol + at.Format(" 02T15:04") }

func (w *world) bar(symbol string, at time.Time) (k Kline, ok bool) {
	if at.Before(w.start) || !at.Add(time.Minute).Before(time.Now()) || !at.Before(w.halted[0]) && at.Before(w.halted[1]) {
		return k, false
	}
	n := at.Unix()/60%1000 + int64(len(symbol))
	d := func(n int64) Decimal { d, _ := ParseDecimal(strconv.AppendInt(nil, n, 10)); return d }
	us := at.UnixMicro()
	return Kline{
		OpenTime: us, CloseTime: us + 59_999_000, Open: d(n), High: d(n + 2), Low: d(n), Close: d(n + 1), Volume: d(7),
		QuoteVolume: d(700), Trades: 3, TakerBase: d(2), TakerQuote: d(200), Has: AllColumns,
	}, true
}

func (w *world) Series(context.Context) ([]Series, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Series
	for _, s := range w.symbols {
		list = append(list, Series{Source: "platform", Dataset: Klines, Market: "spot", Symbol: s, Interval: "1m"})
	}
	return list, w.down
}

func (w *world) Klines(_ context.Context, s Series, from, to time.Time, each func(*Kline, bool)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down != nil {
		return w.down
	}
	if from.Before(w.start) {
		from = w.start
	}
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		k, ok := w.bar(s.Symbol, at)
		if !ok || w.lost[id(s.Symbol, at)] || !w.stopped.IsZero() && !at.Before(w.stopped) {
			continue
		}
		if w.altered[id(s.Symbol, at)] {
			k.Close = k.Open
		}
		each(&k, false)
	}
	return nil
}

func (w *world) Entries(_ context.Context, s Series, from, to time.Time, each func(*Entry)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(w.stored)) {
		if at := time.UnixMilli(n); !at.Before(from) && at.Before(to) {
			price, _ := ParseDecimal([]byte(w.stored[n]))
			one, _ := ParseDecimal([]byte("1"))
			each(&Entry{ID: n, Time: n * 1000, Amounts: [maxAmounts]Decimal{price, one}, Known: 3, CreatedAt: n*1000 + 2e6})
		}
	}
	return w.down
}

// RoundTrip is the exchange's REST API.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := httptest.NewRecorder()
	q := r.URL.Query()
	table, err := binance.DefaultTable()
	if err != nil {
		return nil, err
	}
	w.weight += table.Cost(r.Method, r.URL.Path, r.URL.RawQuery).Weight
	if got := r.Header.Get("X-Hedgewatch-Priority"); got != "backfill" {
		w.t.Errorf("got priority %q", got)
	}
	from, _ := strconv.ParseInt(q.Get("startTime"), 10, 64)
	to, _ := strconv.ParseInt(q.Get("endTime"), 10, 64)
	switch r.URL.Path {
	case "/api/v3/klines":
		rows := [][]any{}
		for at := time.UnixMilli(from).UTC(); at.UnixMilli() <= to; at = at.Add(time.Minute) {
			if k, ok := w.bar(q.Get("symbol"), at); ok {
				rows = append(rows, []any{
					k.OpenTime / 1000, k.Open.String(), k.High.String(), k.Low.String(), k.Close.String(), k.Volume.String(), k.CloseTime / 1000,
					k.QuoteVolume.String(), k.Trades, k.TakerBase.String(), k.TakerQuote.String(), "0",
				})
			}
		}
		_ = json.NewEncoder(answer).Encode(rows)
	case "/fapi/v1/userTrades":
		signed, signature, _ := strings.Cut(r.URL.RawQuery, "&signature=")
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(signed))
		if hex.EncodeToString(mac.Sum(nil)) != signature {
			http.Error(answer, `{"code":-1022,"msg":"Signature for this request is not valid."}`, http.StatusBadRequest)
			break
		}
		rows := []any{}
		for _, n := range slices.Sorted(maps.Keys(w.fills)) {
			if n >= from && n <= to {
				rows = append(rows, map[string]any{"id": n, "time": n, "price": w.fills[n], "qty": "1"})
			}
		}
		_ = json.NewEncoder(answer).Encode(rows)
	default:
		http.Error(answer, "{}", http.StatusNotFound)
	}
	return answer.Result(), nil
}

func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// audit runs an auditor of the world until stop is called.
func (w *world) audit(dir string, rows Rows, market string) (a *Auditor, reg *prometheus.Registry, stop func()) {
	w.t.Helper()
	d := DefaultDataset()
	d.Source, d.Name, d.Market, d.Grace, d.History = "platform", "platform/t", market, model.Duration(5*time.Second), model.Duration(48*time.Hour)
	reg = prometheus.NewRegistry()
	a, err := New(Config{Datasets: []Dataset{d}, Accounts: []Account{{ID: "a", Key: "k", Secret: secret}}}, Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: reg, Dir: dir,
		Open:      func(context.Context, int) (Rows, error) { return rows, nil },
		Transport: w, BaseURL: func(string) string { return "http://exchange" },
		Raise:  func(_ context.Context, al Alarm) error { w.change(func() { w.alarms[al.Key] = al }); return nil },
		Clear:  func(_ context.Context, key string) error { w.change(func() { delete(w.alarms, key) }); return nil },
		Repair: w.repair,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, reg, func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

func open(a *Auditor) []string {
	lines := []string{}
	for _, r := range a.Findings() {
		if r.open() {
			lines = append(lines, fmt.Sprintf("%s %s-%s %d %s %s", r.Series.Symbol, r.From.Format("15:04"), r.To.Format("15:04"), r.Count, r.Kind, r.Cause))
		}
	}
	slices.Sort(lines)
	return lines
}

func expect(t *testing.T, a *Auditor, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), open(a)); diff != "" {
		t.Errorf("at %s, open findings differ (-want +got):\n%s", time.Now().UTC().Format("15:04:05"), diff)
	}
}

func TestLiveGapIsFoundInTimeAndClosesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gap := time.Date(2026, 11, 22, 10, 5, 0, 0, time.UTC)
		w.lost[id("ETHUSDT", gap)] = true
		dir := t.TempDir()
		a, reg, stop := w.audit(dir, w, "spot")
		time.Sleep(time.Until(gap.Add(time.Minute + 5*time.Second - time.Millisecond)))
		expect(t, a)
		time.Sleep(time.Second) // The row is due after a grace of 5s.
		expect(t, a, "ETHUSDT 10:05-10:06 1 missing platform")
		w.change(func() {
			if al := w.alarms["audit/platform/t/missing"]; al.Rows != 1 || al.Example.Series.Symbol != "ETHUSDT" {
				t.Errorf("got alarm %+v", al)
			}
		})
		if got := a.Findings()[0]; got.Plan == nil || got.Plan.Weight != 2 || !strings.Contains(got.Plan.Requests[0].Query, "symbol=ETHUSDT") ||
			got.Evidence != "the exchange has these bars" {
			t.Errorf("got %+v with plan %+v", got, got.Plan)
		}
		want := `# HELP hedgewatch_audit_missing_rows Rows that are not there, by whose fault.
# TYPE hedgewatch_audit_missing_rows gauge
hedgewatch_audit_missing_rows{account="",cause="exchange",dataset="klines",interval="1m",market="spot",source="platform",symbol="BTCUSDT"} 0
hedgewatch_audit_missing_rows{account="",cause="exchange",dataset="klines",interval="1m",market="spot",source="platform",symbol="ETHUSDT"} 0
hedgewatch_audit_missing_rows{account="",cause="platform",dataset="klines",interval="1m",market="spot",source="platform",symbol="BTCUSDT"} 0
hedgewatch_audit_missing_rows{account="",cause="platform",dataset="klines",interval="1m",market="spot",source="platform",symbol="ETHUSDT"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "hedgewatch_audit_missing_rows"); err != nil {
			t.Error(err)
		}
		if until := a.Status().Datasets[0].Series[1].VerifiedUntil; !until.Equal(gap) {
			t.Errorf("verified until %s, want %s", until, gap)
		}
		stop()

		// A restart forgets nothing, and what was mended meanwhile closes.
		a, _, stop = w.audit(dir, w, "spot")
		expect(t, a, "ETHUSDT 10:05-10:06 1 missing platform")
		if from, want := a.Status().Datasets[0].Series[1].From, w.start; !from.Equal(want) {
			t.Errorf("after a restart verified from %s, want %s", from, want)
		}
		w.change(func() { clear(w.lost) })
		time.Sleep(6 * time.Second)
		expect(t, a)
		w.change(func() {
			if len(w.alarms) > 0 {
				t.Errorf("alarms %v are not cleared", w.alarms)
			}
		})
		stop()
	})
}

// The platform's stop looks like a halt: no symbol has bars. The exchange knows.
func TestStopIsToldFromHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := time.Date(2026, 11, 22, 10, 3, 0, 0, time.UTC)
		w.halted = [2]time.Time{stop, stop.Add(2 * time.Minute)}
		w.stopped = stop.Add(4 * time.Minute)
		a, _, end := w.audit(t.TempDir(), w, "spot")
		defer end()
		time.Sleep(time.Until(stop.Add(2*time.Minute + 7*time.Second)))
		if lag := a.Status().Datasets[0].Series[0].LagSeconds; lag != 0 {
			t.Errorf("got a lag of %vs in a halt of the exchange, want 0", lag)
		}
		time.Sleep(time.Until(stop.Add(6*time.Minute + 7*time.Second)))
		expect(t, a,
			"BTCUSDT 10:03-10:05 2 missing exchange", "BTCUSDT 10:07-10:09 2 missing platform",
			"ETHUSDT 10:03-10:05 2 missing exchange", "ETHUSDT 10:07-10:09 2 missing platform")
		if lag := a.Status().Datasets[0].Series[0].LagSeconds; lag != 120 {
			t.Errorf("got a lag of %vs, want 120", lag)
		}
	})
}

func TestAlteredRowIsFoundByComparisonInsideTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.altered[id("BTCUSDT", w.start.Add(100*time.Minute))] = true
		w.lost[id("BTCUSDT", w.start.Add(200*time.Minute))] = true
		a, _, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(time.Minute)
		expect(t, a, "BTCUSDT 01:20-01:21 1 missing platform", "BTCUSDT 23:40-23:41 1 mismatch platform")
		w.change(func() { clear(w.altered); clear(w.lost) })
		time.Sleep(time.Minute)
		expect(t, a)
		w.change(func() { w.weight = 0 })
		time.Sleep(24 * time.Hour)
		expect(t, a)
		w.change(func() {
			if w.weight > 2*4 {
				t.Errorf("a day of two symbols took a weight of %d, want 8 at most", w.weight)
			}
		})
	})
}

func TestNothingIsVerifiedWhileTheSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, reg, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(2 * time.Minute)
		before := a.Status().Datasets[0]
		w.change(func() { w.down = errors.New("connection refused") })
		time.Sleep(10 * time.Minute)
		after := a.Status().Datasets[0]
		if after.Error != "connection refused" || after.Series[0].VerifiedUntil != before.Series[0].VerifiedUntil {
			t.Errorf("got %q, verified until %s after %s", after.Error, after.Series[0].VerifiedUntil, before.Series[0].VerifiedUntil)
		}
		if n, err := testutil.GatherAndCount(reg, "hedgewatch_audit_failing"); n != 1 || err != nil {
			t.Errorf("got %d series, %v", n, err)
		}
		w.change(func() { w.down = nil })
		time.Sleep(2 * time.Minute)
		if now := a.Status().Datasets[0]; now.Error != "" || !now.Series[0].VerifiedUntil.After(after.Series[0].VerifiedUntil) {
			t.Errorf("does not go on: %+v", now)
		}
	})
}

// account shows the world's fills as rows.
type account struct{ *world }

func (account) Series(context.Context) ([]Series, error) {
	return []Series{{Source: "platform", Dataset: UserTrades, Market: "usdm", Account: "a", Symbol: "BTCUSDT"}}, nil
}

func TestFillsAreComparedByAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range int64(20) {
			n := time.Now().Add(-time.Hour).UnixMilli() + i*7000
			w.fills[n], w.stored[n] = "100.5", "100.50"
		}
		ids := slices.Sorted(maps.Keys(w.fills))
		delete(w.stored, ids[3])
		w.stored[ids[5]] = "100.6"
		w.stored[ids[7]+1] = "100.5"
		a, _, stop := w.audit(t.TempDir(), account{w}, "usdm")
		defer stop()
		time.Sleep(time.Minute)
		var got []string
		for _, r := range a.Findings() {
			got = append(got, string(r.Kind)+" "+strings.Join(r.Fields, ","))
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"extra ", "mismatch price", "missing "}, got); diff != "" {
			t.Fatalf("findings differ (-want +got):\n%s", diff)
		}
		w.change(func() {
			clear(w.stored)
			maps.Copy(w.stored, w.fills)
		})
		time.Sleep(20 * time.Minute)
		expect(t, a)
	})
}

// The tables of a new platform get their first rows minutes later, one series after
// the other.
func TestFirstRowsOfAnEmptyTableAreFoundSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.symbols = nil
		a, _, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(2 * time.Minute)
		for i, symbol := range []string{"BTCUSDT", "ETHUSDT"} {
			w.change(func() { w.symbols = append(w.symbols, symbol) })
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := len(a.Status().Datasets[0].Series); got != i+1 {
				t.Errorf("got %d series ten seconds after the first row of %s, want %d", got, symbol, i+1)
			}
		}
	})
}
