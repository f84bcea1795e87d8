package exchangesim_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// candle is a row of klines, with decimals as they are written.
type candle []any

func (c candle) open() int64  { return int64(c[0].(float64)) }
func (c candle) close() int64 { return int64(c[6].(float64)) }
func (c candle) trades() int  { return int(c[8].(float64)) }

func number(t *testing.T, v any) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(v.(string), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func near(a, b float64) bool { return a-b < 1e-6*max(1, a) && b-a < 1e-6*max(1, a) }

type aggTrade struct {
	A int64  `json:"a"`
	P string `json:"p"`
	Q string `json:"q"`
	F int64  `json:"f"`
	L int64  `json:"l"`
	T int64  `json:"T"`
	M bool   `json:"m"`
}

func paths() map[binance.Market]string {
	return map[binance.Market]string{binance.Spot: "/api/v3", binance.USDM: "/fapi/v1", binance.COINM: "/dapi/v1"}
}

func TestBarsAreSumsOfTrades(t *testing.T) {
	s := newSim(t)
	for _, symbol := range exchangesim.DefaultSymbols() {
		t.Run(string(symbol.Market)+" "+symbol.Name, func(t *testing.T) {
			path := paths()[symbol.Market]
			from := start().Truncate(time.Minute).Add(-10 * time.Minute).UnixMilli()
			bars := get[[]candle](s, fmt.Sprintf("%s/klines?symbol=%s&interval=1m&startTime=%d&limit=10", path, symbol.Name, from))
			if len(bars) != 10 {
				t.Fatalf("got %d bars, want 10", len(bars))
			}
			next := int64(-1)
			for i, b := range bars {
				if b.open() != from+int64(i)*60_000 || b.close() != b.open()+59_999 {
					t.Errorf("bar %d: got %d to %d, want the next minute", i, b.open(), b.close())
				}
				all := get[[]aggTrade](s, fmt.Sprintf("%s/aggTrades?symbol=%s&startTime=%d&endTime=%d&limit=1000", path, symbol.Name, b.open(), b.close()))
				volume, trades := 0.0, 0
				for _, a := range all {
					if next >= 0 && a.F != next || a.L < a.F {
						t.Errorf("trades %d to %d follow %d", a.F, a.L, next-1)
					}
					next = a.L + 1
					volume += number(t, a.Q)
					trades += int(a.L - a.F + 1)
					if p := number(t, a.P); p > number(t, b[2]) || p < number(t, b[3]) {
						t.Errorf("price %s is outside of the bar %v", a.P, b)
					}
				}
				if trades != b.trades() || !near(volume, number(t, b[5])) {
					t.Errorf("bar %d: got %d trades of %v, want those of the bar: %d of %v", i, trades, volume, b.trades(), b[5])
				}
				if trades > 0 && (b[1] != all[0].P || b[4] != all[len(all)-1].P) {
					t.Errorf("bar %d: got open %v and close %v, want %s and %s", i, b[1], b[4], all[0].P, all[len(all)-1].P)
				}
				if trades == 0 && (b[1] != b[4] || b[2] != b[3] || i > 0 && b[1] != bars[i-1][4]) {
					t.Errorf("bar %d: got %v without trades, want the price before it", i, b)
				}
			}
		})
	}
}

func TestHigherIntervalsAreSumsOfMinutes(t *testing.T) {
	s := newSim(t)
	const day = 24 * 60
	from := start().Truncate(24 * time.Hour).Add(-24 * time.Hour).UnixMilli()
	var minutes []candle
	for i := range 2 {
		minutes = append(minutes, get[[]candle](s, fmt.Sprintf("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=%d&limit=720", from+int64(i)*720*60_000))...)
	}
	if len(minutes) != day {
		t.Fatalf("got %d minutes, want %d", len(minutes), day)
	}
	for interval, n := range map[string]int{"5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": day} {
		bars := get[[]candle](s, fmt.Sprintf("/api/v3/klines?symbol=BTCUSDT&interval=%s&startTime=%d&limit=%d", interval, from, day/n))
		if len(bars) != day/n {
			t.Fatalf("%s: got %d bars, want %d", interval, len(bars), day/n)
		}
		for i, b := range bars {
			part := minutes[i*n : (i+1)*n]
			high, low, volume, quote, trades := 0.0, 1e12, 0.0, 0.0, 0
			for _, m := range part {
				high, low = max(high, number(t, m[2])), min(low, number(t, m[3]))
				volume, quote = volume+number(t, m[5]), quote+number(t, m[7])
				trades += m.trades()
			}
			if b.open() != part[0].open() || b.close() != part[n-1].close() || b[1] != part[0][1] || b[4] != part[n-1][4] ||
				number(t, b[2]) != high || number(t, b[3]) != low || !near(volume, number(t, b[5])) || !near(quote, number(t, b[7])) || trades != b.trades() {
				t.Fatalf("%s: bar %d is not the sum of its minutes: %v", interval, i, b)
			}
		}
	}
}

func TestSameSeedIsSameMarket(t *testing.T) {
	const target = "/api/v3/aggTrades?symbol=ETHUSDT&limit=50"
	a, b := newSim(t), newSim(t)
	if diff := cmp.Diff(get[[]aggTrade](a, target), get[[]aggTrade](b, target)); diff != "" {
		t.Error(diff)
	}
	other := newSim(t, func(c *exchangesim.Config) { c.Seed = 2 })
	if cmp.Equal(get[[]aggTrade](a, target), get[[]aggTrade](other, target)) {
		t.Error("another seed makes the same trades")
	}
}

func TestTradesArePartsOfAggregates(t *testing.T) {
	s := newSim(t)
	aggs := get[[]aggTrade](s, "/api/v3/aggTrades?symbol=BTCUSDT&limit=100")
	type one struct {
		ID   int64  `json:"id"`
		Qty  string `json:"qty"`
		Time int64  `json:"time"`
	}
	trades := get[[]one](s, fmt.Sprintf("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=%d&limit=1000", aggs[0].F))
	i := 0
	for _, a := range aggs {
		sum := 0.0
		for ; i < len(trades) && trades[i].ID <= a.L; i++ {
			sum += number(t, trades[i].Qty)
			if trades[i].Time != a.T {
				t.Errorf("trade %d is at %d, want %d", trades[i].ID, trades[i].Time, a.T)
			}
		}
		if !near(sum, number(t, a.Q)) {
			t.Errorf("aggregate %d: got %v of its trades, want %s", a.A, sum, a.Q)
		}
	}
	if i != len(trades) {
		t.Errorf("got %d trades, want the %d of the aggregates", len(trades), i)
	}
}

// A halt is a hole in time, common to all, with numbers that go on.
func TestHaltLeavesNoHoleInNumbers(t *testing.T) {
	s := newSim(t)
	if err := s.Inject(exchangesim.Fault{Kind: exchangesim.Halt}); err != nil {
		t.Fatal(err)
	}
	halted := s.Now()
	s.clock.add(30 * time.Minute)
	if got := get[infos](s, "/api/v3/exchangeInfo?symbol=BTCUSDT").Symbols[0].Status; got != "HALT" {
		t.Errorf("got status %s while trading is halted, want HALT", got)
	}
	s.Clear(exchangesim.Halt)
	s.clock.add(10 * time.Minute)
	for _, symbol := range []string{"BTCUSDT", "SOLUSDT"} {
		bars := get[[]candle](s, "/api/v3/klines?symbol="+symbol+"&interval=1m&limit=30")
		holes := 0
		for i := 1; i < len(bars); i++ {
			if missing := (bars[i].open()-bars[i-1].open())/60_000 - 1; missing > 0 {
				holes++
				if missing != 29 || bars[i-1].close() != halted.UnixMilli() {
					t.Errorf("%s: got %d bars missing after one that closes at %d, want 29 after %d", symbol, missing, bars[i-1].close(), halted.UnixMilli())
				}
			}
		}
		if holes != 1 {
			t.Errorf("%s: got %d holes, want 1", symbol, holes)
		}
		aggs := get[[]aggTrade](s, "/api/v3/aggTrades?symbol="+symbol+"&limit=1000")
		for i := 1; i < len(aggs); i++ {
			if aggs[i].A != aggs[i-1].A+1 || aggs[i].F != aggs[i-1].L+1 {
				t.Errorf("%s: %d follows %d", symbol, aggs[i].A, aggs[i-1].A)
			}
		}
	}
}

type infos struct {
	Symbols []struct {
		Symbol, Status string
	}
}

func TestDelistedSymbolStaysWithoutNewData(t *testing.T) {
	s := newSim(t)
	if err := s.Inject(exchangesim.Fault{Kind: exchangesim.Delist, Market: binance.Spot, Symbol: "ETHBTC"}); err != nil {
		t.Fatal(err)
	}
	before := get[[]aggTrade](s, "/api/v3/aggTrades?symbol=ETHBTC&limit=1")
	s.clock.add(2 * time.Hour)
	if diff := cmp.Diff(before, get[[]aggTrade](s, "/api/v3/aggTrades?symbol=ETHBTC&limit=1")); diff != "" {
		t.Errorf("trades after the end: %s", diff)
	}
	for _, symbol := range get[infos](s, "/api/v3/exchangeInfo").Symbols {
		want := "TRADING"
		if symbol.Symbol == "ETHBTC" {
			want = "BREAK"
		}
		if symbol.Status != want {
			t.Errorf("%s: got status %s, want %s", symbol.Symbol, symbol.Status, want)
		}
	}
}

func TestRecordedBarsAreServed(t *testing.T) {
	file, err := os.Open("testdata/BTCUSDT-1m-2023-03-24.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	bars, err := exchangesim.ReadBars(file, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2023, 3, 24, 0, 0, 0, 0, time.UTC)
	s := newSim(t, func(c *exchangesim.Config) {
		c.Now = func() time.Time { return day.Add(24 * time.Hour) }
		c.Since = day.Add(-time.Hour)
		c.Symbols = []exchangesim.Symbol{{
			Market: binance.Spot, Name: "BTCUSDT", Base: "BTC", Quote: "USDT", Price: "28000", PriceDigits: 2, QuantityDigits: 5, Recorded: bars,
		}}
	})
	got := get[[]candle](s, fmt.Sprintf("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=%d&limit=1000", day.Add(12*time.Hour).UnixMilli()))
	if len(got) != 640 {
		t.Errorf("got %d bars of the second half of the day, want 720 less the 80 of the halt", len(got))
	}
	hours := get[[]candle](s, fmt.Sprintf("/api/v3/klines?symbol=BTCUSDT&interval=1h&startTime=%d", day.UnixMilli()))
	if len(hours) != 23 {
		t.Errorf("got %d hours, want 24 less the one of the halt", len(hours))
	}
}

func FuzzReadBars(f *testing.F) {
	f.Add("1679616000000,28295.41,28303.99,28290.41,28290.41,167.95,1679616059999,4752589.1,4186,83.1,2353183.6,0\n")
	f.Add("open_time,open\n1,2\n")
	f.Fuzz(func(t *testing.T, text string) {
		bars, err := exchangesim.ReadBars(reader(text), 2, 5)
		for i := 1; err == nil && i < len(bars); i++ {
			if bars[i].Open <= bars[i-1].Open {
				t.Errorf("bar %d is not after the one before it", i)
			}
		}
	})
}
