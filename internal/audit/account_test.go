package audit

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// trader trades at the simulated exchange; what the platform stores of it can be
// changed.
type trader struct {
	t        *testing.T
	exchange *exchangesim.Exchange
	account  exchangesim.Account

	mu     sync.Mutex
	stored []Entry
}

// RoundTrip asks the exchange without a network.
func (tr *trader) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	r = r.Clone(r.Context())
	r.Body, r.RemoteAddr = http.NoBody, "192.0.2.1:1"
	tr.exchange.Handler().ServeHTTP(answer, r)
	return answer.Result(), nil
}

func (tr *trader) order(side string) {
	q := url.Values{"symbol": {"BTCUSDT"}, "side": {side}, "type": {"MARKET"}, "quantity": {"0.1"}, "timestamp": {fmt.Sprint(time.Now().UnixMilli())}}
	r := httptest.NewRequest(http.MethodPost, "/fapi/v1/order?"+q.Encode()+"&signature="+exchangesim.Sign(tr.account.Secret, q.Encode()), nil)
	r.Header.Set("X-Mbx-Apikey", tr.account.Key)
	res, _ := tr.RoundTrip(r)
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		tr.t.Fatalf("order refused: %s", body)
	}
}

func (tr *trader) Series(context.Context) ([]Series, error) {
	return []Series{
		{Source: "platform", Dataset: Incomes, Market: "usdm", Account: "desk"},
		{Source: "platform", Dataset: Incomes, Market: "usdm", Account: "locked out"},
		{Source: "platform", Dataset: Incomes, Market: "usdm", Account: "no key"},
	}, nil
}

func (tr *trader) Klines(context.Context, Series, time.Time, time.Time, func(*Kline, bool)) error {
	return nil
}

func (tr *trader) Entries(_ context.Context, s Series, from, to time.Time, each func(*Entry)) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, e := range tr.stored {
		if at := micro(e.Time); s.Account == "desk" && !at.Before(from) && at.Before(to) {
			each(&e)
		}
	}
	return nil
}

func (tr *trader) change(do func(rows []Entry) []Entry) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.stored = do(tr.stored)
}

// Incomes of the simulated exchange, some of which the platform has lost, stored
// twice or altered: all are found, with the sums of their day, and the findings
// close when the table is right. A key without permission is not taken for fine,
// and holds up nobody.
func TestIncomesAgainstTheSimulatedExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)))
		tr := &trader{t: t, exchange: exchangesim.New(exchangesim.Config{Seed: 3, Accounts: []exchangesim.Account{{Name: "desk"}}})}
		defer tr.exchange.Close()
		tr.account = tr.exchange.Accounts()[0]
		for range 70 { // Both sides in turn, with a PnL each time, over two days and fundings.
			tr.order("BUY")
			time.Sleep(23 * time.Minute)
			tr.order("SELL")
			time.Sleep(19 * time.Minute)
		}
		tr.order("BUY")
		x, err := newExchange(Deps{Transport: tr, BaseURL: func(string) string { return "http://exchange" }}, 2000)
		if err != nil {
			t.Fatal(err)
		}
		s := Series{Dataset: Incomes, Market: "usdm", Account: "desk"}
		key := &Account{ID: "desk", Key: Secret(tr.account.Key), Secret: Secret(tr.account.Secret)}
		whole, err := x.entries(t.Context(), s, key, time.Now().Add(-72*time.Hour), time.Now().Add(time.Millisecond))
		if err != nil || len(whole) < 120 {
			t.Fatalf("got %d incomes, %v", len(whole), err)
		}
		types := map[string]int{}
		for _, e := range whole {
			types[e.Type]++
			if e.Asset != "USDT" {
				t.Fatalf("got asset %q", e.Asset)
			}
		}
		if types["COMMISSION"] == 0 || types["REALIZED_PNL"] == 0 {
			t.Fatalf("got %v", types)
		}

		// Faults on the first whole day: 2026-11-21.
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		dayOf := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
		var inDay []int
		for i, e := range whole {
			if micro(e.Time).Truncate(day).Equal(dayOf) && !e.Amounts[0].IsZero() {
				inDay = append(inDay, i)
			}
		}
		r.Shuffle(len(inDay), func(i, j int) { inDay[i], inDay[j] = inDay[j], inDay[i] })
		lost, doubled, altered := inDay[:5], inDay[5:9], inDay[9:16]
		var want []string
		note := func(kind Kind, i int) { want = append(want, fmt.Sprintf("%s %s", kind, whole[i].key())) }
		off := map[string]Decimal{}
		one, _ := ParseDecimal([]byte("0.00000001"))
		tr.change(func([]Entry) (rows []Entry) {
			for i, e := range whole {
				switch {
				case slices.Contains(lost, i):
					note(Missing, i)
					off[e.Type] = off[e.Type].Sub(e.Amounts[0])
					continue
				case slices.Contains(doubled, i):
					note(Duplicate, i)
					off[e.Type] = off[e.Type].Add(e.Amounts[0])
					rows = append(rows, e)
				case slices.Contains(altered, i):
					note(Mismatch, i)
					e.Amounts[0] = e.Amounts[0].Add(one)
					off[e.Type] = off[e.Type].Add(one)
				}
				rows = append(rows, e)
			}
			return rows
		})
		for kind, by := range off {
			if !by.IsZero() {
				want = append(want, "sum "+kind+" in USDT off by "+by.String())
			}
		}
		slices.Sort(want)

		d := DefaultDataset()
		d.Source, d.Name, d.Market, d.Grace, d.History = "platform", "platform/incomes", "usdm", model.Duration(5*time.Second), model.Duration(60*time.Hour)
		a, err := New(Config{Datasets: []Dataset{d}, WeightPerMinute: 2000, Accounts: []Account{{ID: "locked out", Key: "wrong", Secret: "wrong"}, *key}}, Deps{
			Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: t.TempDir(),
			Open:      func(context.Context, int) (Rows, error) { return tr, nil },
			Transport: tr, BaseURL: func(string) string { return "http://exchange" },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(3 * time.Minute)
		found := func() (lines []string) {
			for _, f := range a.Findings() {
				switch {
				case !f.open() || f.Kind == Unchecked:
				case f.Kind == WrongSum:
					_, by, _ := strings.Cut(f.Evidence, "it is off by ")
					lines = append(lines, fmt.Sprintf("sum %s off by %s", f.Fields[0], by))
					if !f.From.Equal(dayOf) || !f.To.Equal(dayOf.Add(day)) {
						t.Errorf("sum of %s to %s", f.From, f.To)
					}
				default:
					key, _, _ := strings.Cut(f.Evidence, ":")
					key, _, _ = strings.Cut(key, " is there again")
					lines = append(lines, fmt.Sprintf("%s %s", f.Kind, key))
				}
			}
			slices.Sort(lines)
			return lines
		}
		if diff := cmp.Diff(want, found()); diff != "" {
			t.Errorf("seed %d: findings differ (-want +got):\n%s", seed, diff)
		}
		states := map[string]SeriesStatus{}
		for _, one := range a.Status().Datasets[0].Series {
			states[one.Account] = one
		}
		if desk := states["desk"]; desk.Unchecked != "" || desk.WrongSums == 0 || desk.Missing != 5 {
			t.Errorf("got %#v", desk)
		}
		if locked := states["locked out"]; !strings.Contains(locked.Unchecked, "it needs a key that may read") || !locked.VerifiedUntil.IsZero() || locked.Mismatched > 0 {
			t.Errorf("got %#v, want it unknown", locked)
		}
		if none := states["no key"]; !strings.Contains(none.Unchecked, "add it under audit.accounts") || !none.VerifiedUntil.IsZero() {
			t.Errorf("got %#v, want it unknown", none)
		}
		if text := a.Status().Datasets[0].Error; text != "" {
			t.Errorf("the dataset has the error %q; one key is wrong only", text)
		}

		tr.change(func([]Entry) []Entry { return slices.Clone(whole) })
		time.Sleep(time.Hour)
		if left := found(); len(left) > 0 {
			t.Errorf("still open: %v", left)
		}
	})
}

func TestSumsOfWhatIsNotKnownAreNotCompared(t *testing.T) {
	amount := func(text string) Decimal { d, _ := ParseDecimal([]byte(text)); return d }
	from := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	at := from.Add(time.Hour).UnixMicro()
	s := Series{Dataset: UserTrades, Market: "usdm", Account: "a", Symbol: "BTCUSDT"}
	row := func(known uint8, asset, commission, pnl string) Entry {
		return Entry{ID: 1, Time: at, Asset: asset, Known: known, Amounts: [maxAmounts]Decimal{3: amount(commission), 4: amount(pnl)}}
	}
	for _, tt := range []struct {
		name         string
		ours, theirs []Entry
		want         []string
	}{
		{"equal", []Entry{row(31, "BNB", "1", "-2")}, []Entry{row(31, "BNB", "1.0", "-2")}, nil},
		{"another PnL", []Entry{row(31, "BNB", "1", "-2")}, []Entry{row(31, "BNB", "1", "-2.5")}, []string{"realized_pnl"}},
		{"another asset", []Entry{row(31, "BNB", "1", "0")}, []Entry{row(31, "USDT", "1", "0")}, []string{"commission in BNB", "commission in USDT"}},
		{"no asset here", []Entry{row(31, "", "1", "0")}, []Entry{row(31, "USDT", "1", "0")}, nil},
		{"no PnL here", []Entry{row(15, "BNB", "1", "0")}, []Entry{row(31, "BNB", "1", "7")}, nil},
		{"nothing here", nil, []Entry{row(31, "BNB", "1", "7")}, []string{"commission in BNB", "realized_pnl"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range CompareSums(s, tt.ours, tt.theirs, from, from.Add(day)) {
				got = append(got, f.Fields...)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sums that differ (-want +got):\n%s", diff)
			}
		})
	}
	if f := CompareSums(s, nil, []Entry{row(31, "BNB", "1", "7")}, from.Add(time.Minute), from.Add(day)); len(f) > 0 {
		t.Errorf("got %v of a day that is not whole", f)
	}
}
