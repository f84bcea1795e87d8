package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// crawler stores the public trades of a simulated exchange, but for what a test takes
// away.
type crawler struct {
	t        *testing.T
	exchange *exchangesim.Exchange
	series   Series

	client *http.Client // Of a witness, if there is to be one.

	mu sync.Mutex
	// lost are ids that are not stored, skipped those that the exchange leaves out.
	lost, skipped map[int64]bool
	empty         bool      // The exchange shows no trades.
	stopped       time.Time // Nothing is stored that happened later.
	asked         []string
	rows          []Entry // As far as the exchange was read.
}

func newCrawler(t *testing.T, dataset, symbol string) *crawler {
	t.Helper()
	toPresent()
	x := exchangesim.New(exchangesim.Config{Seed: 5, Since: time.Now().Add(-30 * time.Hour)})
	return &crawler{
		t: t, exchange: x, series: Series{Source: "platform", Dataset: dataset, Market: "spot", Symbol: symbol},
		lost: map[int64]bool{}, skipped: map[int64]bool{},
	}
}

func (c *crawler) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// RoundTrip is how the auditor asks.
func (c *crawler) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	r = r.Clone(r.Context())
	r.Body, r.RemoteAddr = http.NoBody, "192.0.2.1:1"
	c.exchange.Handler().ServeHTTP(answer, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r.URL.Path+" "+r.URL.Query().Get("fromId"))
	var rows []map[string]any
	if c.empty && r.URL.Path == publicPath(c.series) {
		answer = httptest.NewRecorder()
		_, err := answer.WriteString("[]")
		return answer.Result(), err
	}
	if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &rows) != nil || len(c.skipped) == 0 {
		return answer.Result(), nil
	}
	rows = slices.DeleteFunc(rows, func(row map[string]any) bool {
		id, ok := row["a"].(float64)
		return ok && c.skipped[int64(id)]
	})
	answer = httptest.NewRecorder()
	err := json.NewEncoder(answer).Encode(rows)
	return answer.Result(), err
}

// read takes what has happened at the exchange since the last time.
func (c *crawler) read() error {
	next := int64(1)
	if n := len(c.rows); n > 0 {
		next = c.rows[n-1].ID + 1
	}
	for {
		q := idRequests(c.series, idRun{next, next + pageEntries - 1})[0]
		answer := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, q.path+"?"+q.query.Encode(), nil)
		r.RemoteAddr = "192.0.2.2:1"
		c.exchange.Handler().ServeHTTP(answer, r)
		var page []publicRow
		if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
			return fmt.Errorf("%s: %w", answer.Body, err)
		}
		for _, row := range page {
			e, err := row.entry(c.series.Dataset)
			if err != nil {
				return err
			}
			c.rows = append(c.rows, e)
			next = e.ID + 1
		}
		if len(page) < pageEntries {
			return nil
		}
	}
}

func (c *crawler) Series(context.Context) ([]Series, error) { return []Series{c.series}, nil }

func (c *crawler) Klines(context.Context, Series, time.Time, time.Time, func(*Kline, bool)) error {
	return nil
}

func (c *crawler) Entries(_ context.Context, _ Series, from, to time.Time, each func(*Entry)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		return err
	}
	for _, e := range c.rows {
		at := micro(e.Time)
		if c.lost[e.ID] || c.skipped[e.ID] || !c.stopped.IsZero() && at.After(c.stopped) || at.Before(from) || !at.Before(to) {
			continue
		}
		each(&e)
	}
	return nil
}

// id is that of a trade some time ago.
func (c *crawler) id(ago time.Duration) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(c.rows, func(e Entry) bool { return micro(e.Time).After(time.Now().Add(-ago)) })
	return c.rows[i].ID
}

// happened is when a trade did; never, if it did not yet.
func (c *crawler) happened(id int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		c.t.Fatal(err)
	}
	for _, e := range c.rows {
		if e.ID == id {
			return micro(e.Time)
		}
	}
	return time.Now()
}

func (c *crawler) newest() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		c.t.Fatal(err)
	}
	return c.rows[len(c.rows)-1].ID
}

func (c *crawler) audit() (a *Auditor, stop func()) {
	c.t.Helper()
	d := DefaultDataset()
	d.Source, d.Name, d.Market, d.Grace, d.History = "platform", "platform/t", c.series.Market, model.Duration(5*time.Second), model.Duration(72*time.Hour)
	seen := WitnessConfig{Enabled: c.client != nil, StreamURLs: map[binance.Market]string{"spot": "ws://exchange/spot"}}
	a, err := New(Config{Datasets: []Dataset{d}, WeightPerMinute: 2000, Witness: seen}, Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: c.t.TempDir(), Dial: c.client,
		Open:      func(context.Context, int) (Rows, error) { return c, nil },
		Transport: c, BaseURL: func(string) string { return "http://exchange" },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	}
}

// gaps are the open findings of ids, relative to an id.
func gaps(a *Auditor, base int64) []string {
	lines := []string{}
	for _, r := range a.Findings() {
		if r.open() {
			lines = append(lines, fmt.Sprintf("%+d to %+d: %d %s %s, asked %t", r.FirstID-base, r.LastID-base, r.Count, r.Kind, r.Cause, r.Confirmed))
		}
	}
	slices.Sort(lines)
	return lines
}

func wantGaps(t *testing.T, a *Auditor, base int64, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), gaps(a, base)); diff != "" {
		t.Errorf("at %s, open findings differ (-want +got):\n%s", time.Now().UTC().Format("15:04:05"), diff)
	}
}

// The exchange is asked for the ids of a hole: those that it leaves out are not the
// platform's loss. What is mended of the rest is no longer a finding.
func TestHolesOfIDsAreAskedForByID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawler(t, AggTrades, "ETHBTC")
		lost := c.id(8 * time.Minute)
		for i := range int64(5) {
			c.lost[lost+i] = true
		}
		c.skipped[lost+2] = true
		a, stop := c.audit()
		defer stop()
		time.Sleep(30 * time.Second)
		all := []string{"+0 to +1: 2 missing platform, asked true", "+2 to +2: 1 missing exchange, asked true", "+3 to +4: 2 missing platform, asked true"}
		wantGaps(t, a, lost, all...)
		for _, r := range a.Findings() {
			if r.Cause != Platform {
				continue
			}
			if r.Plan == nil || len(r.Plan.Requests) != 1 || !strings.Contains(r.Plan.Requests[0].Query, fmt.Sprintf("fromId=%d&limit=2", r.FirstID)) {
				t.Errorf("got plan %+v of ids %d to %d", r.Plan, r.FirstID, r.LastID)
			}
		}
		c.change(func() { delete(c.lost, lost); c.asked = nil })
		time.Sleep(time.Minute)
		all[0] = "+1 to +1: 1 missing platform, asked true"
		wantGaps(t, a, lost, all...)
		time.Sleep(time.Hour)
		wantGaps(t, a, lost, all...)
		c.change(func() {
			for i := range int64(5) {
				if q := fmt.Sprintf("/api/v3/aggTrades %d", lost+i); slices.Contains(c.asked, q) {
					t.Errorf("was asked %s again, which it has confirmed", q)
				}
			}
			clear(c.lost)
		})
		time.Sleep(time.Hour)
		wantGaps(t, a, lost, all[1])
	})
}

// An exchange that answers with nothing has not said that it lacks the ids.
func TestEmptyAnswerProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawler(t, AggTrades, "ETHBTC")
		lost := c.id(8 * time.Minute)
		c.lost[lost], c.empty = true, true
		a, stop := c.audit()
		defer stop()
		defer c.exchange.Close()
		time.Sleep(30 * time.Second)
		wantGaps(t, a, lost, "+0 to +0: 1 missing platform, asked false")
		c.change(func() { c.empty = false })
		time.Sleep(time.Minute)
		wantGaps(t, a, lost, "+0 to +0: 1 missing platform, asked true")
	})
}

// A row may be the first for an hour: its id follows that of the last one all the same.
func TestHoleAfterAHaltIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawler(t, AggTrades, "ETHBTC")
		a, stop := c.audit()
		defer stop()
		time.Sleep(10 * time.Second)
		wantGaps(t, a, 0)
		if err := c.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Halt, For: 3600}); err != nil {
			t.Fatal(err)
		}
		next := c.newest() + 1
		c.change(func() { c.lost[next], c.lost[next+1] = true, true })
		time.Sleep(time.Hour)
		wantGaps(t, a, next)
		time.Sleep(3 * time.Minute)
		wantGaps(t, a, next, "+0 to +1: 2 missing platform, asked true")
	})
}

// History is read in pieces of a day; rows are lost on both sides of a border.
func TestHoleBetweenPiecesOfHistoryIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawler(t, AggTrades, "ETHBTC")
		first, end := c.id(24*time.Hour+5*time.Minute), c.id(24*time.Hour-5*time.Minute)
		for id := first; id < end; id++ {
			c.lost[id] = true
		}
		a, stop := c.audit()
		defer stop()
		time.Sleep(30 * time.Second)
		wantGaps(t, a, first, fmt.Sprintf("+0 to %+d: %d missing platform, asked true", end-first-1, end-first))
		if got := a.Status().Datasets[0]; got.Error != "" || got.HistoryVerifiedAt.IsZero() {
			t.Errorf("got %+v", got)
		}
	})
}

// A crawler that stops leaves no hole; what the exchange has behind its last row is
// missing, and more from minute to minute, until it is stored.
func TestCrawlerThatStopsIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawler(t, AggTrades, "ETHUSDT") // Traded every second or so.
		a, stop := c.audit()
		defer stop()
		time.Sleep(time.Minute)
		c.change(func() { c.stopped = time.Now() })
		next := c.newest() + 1
		time.Sleep(2*time.Minute + 10*time.Second)
		first := a.Findings()
		if len(first) != 1 || first[0].FirstID != next || first[0].Kind != Missing || first[0].Cause != Platform || first[0].Count < 20 {
			t.Fatalf("got %+v, want what is missing from id %d on", first, next)
		}
		if lag := a.Status().Datasets[0].Series[0].LagSeconds; lag < 60 {
			t.Errorf("got a lag of %vs, want minutes", lag)
		}
		time.Sleep(5 * time.Minute)
		more := a.Findings()
		if len(more) != 1 || more[0].FirstID != next || more[0].Count <= first[0].Count || more[0].Count != more[0].LastID-next+1 {
			t.Errorf("got %+v after %+v, want it to grow", more, first)
		}
		c.change(func() { c.stopped = time.Time{} })
		time.Sleep(2 * time.Minute)
		wantGaps(t, a, next)
		if lag := a.Status().Datasets[0].Series[0].LagSeconds; lag != 0 {
			t.Errorf("got a lag of %vs when all is stored", lag)
		}
		c.change(func() {
			if len(c.asked) > 12 {
				t.Errorf("was asked %d times", len(c.asked))
			}
		})
	})
}

// The witness is sent what a crawler that has stopped does not store: it is found
// within five seconds after it is due, and nobody is asked.
func TestCrawlerThatStopsIsSeenByTheWitness(t *testing.T) {
	for _, dataset := range []string{AggTrades, Trades} {
		t.Run(dataset, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrawler(t, dataset, "ETHUSDT")
				_, c.client = serve(t, c.exchange.Handler())
				a, stop := c.audit()
				defer c.exchange.Close()
				defer stop()
				time.Sleep(time.Minute)
				wantGaps(t, a, 0)
				next := c.newest() + 1
				c.change(func() { c.stopped, c.asked = time.Now(), nil })
				for len(a.Findings()) == 0 && time.Since(c.happened(next)) < 10*time.Second { // A grace of five seconds, and five more.
					time.Sleep(250 * time.Millisecond)
				}
				found := a.Findings()
				if len(found) != 1 || found[0].FirstID != next || !found[0].Confirmed || !strings.HasPrefix(found[0].Evidence, "the exchange sent them") {
					t.Fatalf("got %+v %s after trade %d happened, want it missing", found, time.Since(c.happened(next)), next)
				}
				time.Sleep(30 * time.Second)
				if more := a.Findings(); len(more) != 1 || more[0].Count < 10 || more[0].LastID-next+1 != more[0].Count {
					t.Errorf("got %+v after half a minute", more)
				}
				if got := a.Status().Datasets[0].Series[0]; got.LagSeconds < 20 || time.Since(got.WitnessedUntil) > 5*time.Second {
					t.Errorf("got a lag of %vs, witnessed until %s", got.LagSeconds, got.WitnessedUntil)
				}
				c.change(func() {
					if slices.ContainsFunc(c.asked, func(q string) bool { return strings.HasPrefix(q, publicPath(c.series)) }) {
						t.Errorf("asked %q", c.asked)
					}
					c.stopped = time.Time{}
				})
				time.Sleep(time.Minute)
				wantGaps(t, a, next)
			})
		})
	}
}

func TestTradesOfTheStreamThatAreNotTaken(t *testing.T) {
	const good = `{"stream":"btcusdt@trade","data":{"e":"trade","E":1763805600100,"s":"BTCUSDT","t":7,"p":"1","q":"2","b":88,"a":50,"T":1763805600099,"m":true,"M":true}}`
	name, id, at, err := parseStreamedTrade([]byte(good))
	if name != "btcusdt@trade" || id != 7 || at != 1763805600099000 || err != nil {
		t.Fatalf("got %q, %d, %d, %v", name, id, at, err)
	}
	for _, tt := range []struct{ name, old, new string }{
		{"no JSON", `{"stream"`, `{"stream`},
		{"another symbol", `"s":"BTCUSDT"`, `"s":"ETHUSDT"`},
		{"another event", `"e":"trade"`, `"e":"aggTrade"`},
		{"no id", `"t":7,`, ``},
		{"a time of 1970", `"T":1763805600099`, `"T":1763`},
		{"an id as text", `"t":7`, `"t":"x"`},
	} {
		if name, id, at, err := parseStreamedTrade([]byte(strings.Replace(good, tt.old, tt.new, 1))); err == nil {
			t.Errorf("%s: got %q, %d, %d", tt.name, name, id, at)
		}
	}
}

func FuzzStreamedTrade(f *testing.F) {
	f.Add([]byte(`{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1763805600100,"s":"BTCUSDT","a":7,"p":"1","q":"2","f":1,"l":2,"T":1763805600099,"m":true}}`))
	f.Add([]byte(`{"result":null,"id":1}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if name, id, at, err := parseStreamedTrade(frame); err == nil && id != 0 && (id < 0 || at <= 0 || name == "") {
			t.Errorf("took id %d of %d from %q", id, at, frame)
		}
	})
}

// The exchange counts the trades of 24 hours, and says which are the first and last.
func TestTradesAreCountedAgainstTheTicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawler(t, Trades, "ETHBTC")
		a, stop := c.audit()
		stop() // Its steps are taken below.
		w := a.watches[0]
		p := &progress{Series: c.series, From: time.Now().Add(-25 * time.Hour), Until: time.Now()}
		w.rows, w.series[c.series] = c, p
		count := func() {
			t.Helper()
			for range 2 { // It asks, and counts when all are due.
				if err := w.compareCount(t.Context(), p, time.Now()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				p.Until = time.Now()
			}
		}
		count()
		wantGaps(t, a, 0)
		lost := c.id(23 * time.Hour)
		c.lost[lost], c.lost[lost+1] = true, true
		count()
		wantGaps(t, a, lost, "+0 to +1: 2 missing platform, asked true")
	})
}

func TestLackingIDs(t *testing.T) {
	for _, tt := range []struct {
		name        string
		runs        []idRun
		first, last int64
		want        []idRun
	}{
		{"nothing is there", nil, 3, 9, []idRun{{3, 9}}},
		{"all is there", []idRun{{1, 5}, {6, 12}}, 3, 9, nil},
		{"in no order, and twice", []idRun{{8, 8}, {4, 5}, {4, 4}}, 3, 9, []idRun{{3, 3}, {6, 7}, {9, 9}}},
		{"beside it only", []idRun{{1, 2}, {10, 20}}, 3, 9, []idRun{{3, 9}}},
		{"over both ends", []idRun{{1, 3}, {9, 20}}, 3, 9, []idRun{{4, 8}}},
	} {
		if diff := cmp.Diff(tt.want, lacking(tt.runs, tt.first, tt.last), cmp.AllowUnexported(idRun{})); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", tt.name, diff)
		}
	}
}
