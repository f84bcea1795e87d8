package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bars makes sound bars at the given minutes of an hour: "0-3 5 7i" is five bars
// with trades and an idle one, "9s" one that is cut short.
func bars(t *testing.T, text string) []Kline {
	t.Helper()
	var list []Kline
	for part := range strings.FieldsSeq(text) {
		minutes := strings.TrimRight(part, "is")
		var first, last int64
		if n, _ := fmt.Sscanf(minutes, "%d-%d", &first, &last); n < 2 {
			last = first
		}
		for minute := first; minute <= last; minute++ {
			k := Kline{OpenTime: start + minute*60e6, CloseTime: start + minute*60e6 + 59_999_000, Has: AllColumns, Trades: 3}
			k.Open, k.High, k.Low, k.Close, k.Volume = number(t, "10"), number(t, "12"), number(t, "9"), number(t, "11"), number(t, "5")
			if strings.HasSuffix(part, "i") {
				k.Trades, k.Volume, k.High, k.Low, k.Open = 0, Decimal{}, k.Close, k.Close, k.Close
			}
			if strings.HasSuffix(part, "s") {
				k.CloseTime -= 20e6
			}
			list = append(list, k)
		}
	}
	return list
}

func number(t *testing.T, text string) Decimal {
	t.Helper()
	d, err := ParseDecimal([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixMicro()

// run checks each symbol's bars and writes the findings in short: minutes from
// and to, kind, cause, count.
func run(t *testing.T, from, to time.Time, symbols map[string]string) []string {
	t.Helper()
	var results []Result
	for _, symbol := range []string{"BTC", "ETH", "SOL"} {
		text, ok := symbols[symbol]
		if !ok {
			continue
		}
		c, err := NewKlineCheck(Series{Dataset: "klines", Symbol: symbol, Interval: "1m"})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range bars(t, text) {
			c.Add(&k, false)
		}
		results = append(results, c.Result(from, to))
	}
	var got []string
	for _, f := range Attribute(results) {
		who := f.Series.Symbol + strings.Join(f.Symbols, "+")
		got = append(got, fmt.Sprintf("%s %s-%s %d %s %s", who, f.From.Format("4"), f.To.Format("4"), f.Count, f.Kind, f.Cause))
	}
	return got
}

func TestGapsAreAttributed(t *testing.T) {
	hour := func(minute int64) time.Time { return micro(start + minute*60e6) }
	for _, tt := range []struct {
		name     string
		from, to time.Time
		symbols  map[string]string
		want     []string
	}{
		{"sound", time.Time{}, time.Time{}, map[string]string{"BTC": "0-9", "ETH": "0-9"}, nil},
		{"lost by one", time.Time{}, time.Time{}, map[string]string{"BTC": "0-2 5-9", "ETH": "0-9"}, []string{"BTC 3-5 2 missing platform"}},
		{"halt of all", time.Time{}, time.Time{}, map[string]string{"BTC": "0-2 5-9", "ETH": "0-2 5-9"}, []string{"BTC+ETH 3-5 2 missing exchange"}},
		{
			"lost after a halt",
			time.Time{},
			time.Time{},
			map[string]string{"BTC": "0-2 7-9", "ETH": "0-2 5-9", "SOL": "0-2 5-9"},
			[]string{"BTC+ETH+SOL 3-5 2 missing exchange", "BTC 5-7 2 missing platform"},
		},
		{"nobody to ask", time.Time{}, time.Time{}, map[string]string{"BTC": "0-2 5-9"}, []string{"BTC 3-5 2 missing platform"}},
		{"idle before it proves nothing", time.Time{}, time.Time{}, map[string]string{"BTC": "0 1-2i 5-9"}, []string{"BTC 3-5 2 missing platform"}},
		{"cut short before it", time.Time{}, time.Time{}, map[string]string{"BTC": "0-1 2s 5-9"}, []string{"BTC 3-5 2 missing exchange"}},
		{
			"a range that rows do not fill", hour(0), hour(10),
			map[string]string{"BTC": "2-6", "ETH": "0-9"},
			[]string{"BTC 0-2 2 missing platform", "BTC 7-10 3 missing platform"},
		},
		{"nothing at all", hour(0), hour(10), map[string]string{"BTC": "", "ETH": "0-9"}, []string{"BTC 0-10 10 missing platform"}},
		{"listed later", time.Time{}, time.Time{}, map[string]string{"BTC": "0-9", "ETH": "4-9"}, nil},
		{"out of order", time.Time{}, time.Time{}, map[string]string{"BTC": "0-2 5 3-4 6-9"}, []string{"BTC 3-5 2 order platform"}},
		{"again", time.Time{}, time.Time{}, map[string]string{"BTC": "0-5 5 6 2 7-9"}, []string{"BTC 2-3 1 duplicate platform", "BTC 5-6 1 duplicate platform"}},
		{
			"before the first",
			time.Time{},
			time.Time{},
			map[string]string{"BTC": "4-5 1 6"},
			[]string{"BTC 1-2 1 order platform", "BTC 2-4 2 missing platform"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, run(t, tt.from, tt.to, tt.symbols)); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFlawsAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(k *Kline)
		want   []string
	}{
		{"low", func(k *Kline) { k.Low = number(t, "10.5") }, []string{"low"}},
		{"high", func(k *Kline) { k.High = number(t, "10.5") }, []string{"high"}},
		{"negative", func(k *Kline) { k.Trades = -1 }, []string{"sign"}},
		{"taker", func(k *Kline) { k.TakerBase = number(t, "5.1") }, []string{"taker_base"}},
		{"taker quote", func(k *Kline) { k.TakerQuote = number(t, "5.1") }, []string{"taker_quote"}},
		{"no trades", func(k *Kline) { k.Trades = 0 }, []string{"trades", "volume", "high", "low"}},
		{"close time", func(k *Kline) { k.CloseTime += 1e6 }, []string{"close_time"}},
		{"open time", func(k *Kline) { k.OpenTime += 1e6 }, []string{"open_time"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := bars(t, "3")[0]
			if k.flaws(newCalendar("1m")) != 0 {
				t.Fatal("the bar has a flaw before it is changed")
			}
			tt.change(&k)
			fields, evidence := k.flaws(newCalendar("1m")).describe(&k)
			if diff := cmp.Diff(tt.want, fields); diff != "" || evidence == "" {
				t.Errorf("fields differ (-want +got):\n%s; evidence %q", diff, evidence)
			}
		})
	}
}

// Ids of trades say how many there are, and go on from bar to bar: on spot without a
// hole, on futures with some.
func TestTradeIDsOfBarsAreChecked(t *testing.T) {
	ids := func(list []Kline, from ...int64) []Kline {
		for i := range list {
			list[i].Has |= HasTradeIDs
			list[i].FirstID, list[i].LastID = from[i], from[i]+list[i].Trades-1
			if from[i] < 0 {
				list[i].LastID = -1
			}
		}
		return list
	}
	wider := ids(bars(t, "0-1"), 1, 4)
	wider[1].LastID++
	for _, tt := range []struct {
		name, market string
		rows         []Kline
		want         []string
	}{
		{"sound", "spot", ids(bars(t, "0-2"), 1, 4, 7), nil},
		{"unknown in between", "spot", ids(bars(t, "0-2"), 1, -1, 7), nil},
		{"idle in between", "spot", ids(bars(t, "0 1i 2"), 1, -1, 4), nil},
		{"a bar is missing", "spot", ids(bars(t, "0 2"), 1, 7), []string{"missing []"}},
		{"trades are left out", "spot", ids(bars(t, "0-1"), 1, 6), []string{"mismatch [first_id]"}},
		{"trades are left out of futures", "usdm", ids(bars(t, "0-1"), 1, 6), nil},
		{"twice", "usdm", ids(bars(t, "0-1"), 1, 3), []string{"mismatch [first_id]"}},
		{"fewer than ids", "spot", wider, []string{"mismatch [trades first_id last_id]"}},
		{"fewer than ids of futures", "usdm", wider, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewKlineCheck(Series{Dataset: Klines, Market: tt.market, Symbol: "BTCUSDT", Interval: "1m"})
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.rows {
				c.Add(&tt.rows[i], false)
			}
			var got []string
			for _, f := range Attribute([]Result{c.Result(time.Time{}, time.Time{})}) {
				got = append(got, fmt.Sprintf("%s %v", f.Kind, f.Fields))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindingsAreBounded(t *testing.T) {
	c, err := NewKlineCheck(Series{Dataset: "klines", Symbol: "BTC", Interval: "1m"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(3 * maxFindings) {
		k := bars(t, "0")[0]
		k.OpenTime += 2 * i * 60e6 // Every other bar is missing.
		k.CloseTime += 2 * i * 60e6
		c.Add(&k, false)
	}
	r := c.Result(time.Time{}, time.Time{})
	findings := Attribute([]Result{r})
	if got, want := len(findings), maxFindings+1; got != want {
		t.Errorf("got %d findings, want %d", got, want)
	}
	if last := findings[0]; last.Kind != Unchecked || last.Count != 2*maxFindings-1 {
		t.Errorf("got %v first, want the %d that were not kept", last, 2*maxFindings-1)
	}
}

func TestCrossCheckFindsWhatDiffers(t *testing.T) {
	short := bars(t, "0-14")
	c := func(change func(k *Kline)) []Finding {
		long := short[0]
		long.CloseTime = start + 15*60e6 - 1000
		long.Trades, long.Volume = 45, number(t, "75")
		change(&long)
		check, err := NewCrossCheck(Series{Dataset: "klines", Symbol: "BTC", Interval: "15m"}, []Kline{long}, "1m")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range short {
			check.Add(&k)
		}
		return check.Findings()
	}
	if got := c(func(*Kline) {}); len(got) > 0 {
		t.Errorf("got %v for bars that agree", got)
	}
	got := c(func(k *Kline) { k.Close = number(t, "10") })
	if len(got) != 1 || got[0].Kind != Mismatch || !cmp.Equal(got[0].Fields, []string{"close"}) {
		t.Errorf("got %v, want a mismatch of close", got)
	}
	if _, err := NewCrossCheck(Series{Interval: "1m"}, nil, "15m"); err == nil {
		t.Error("1m bars are made of 15m bars, without an error")
	}
}

func TestCompareKlines(t *testing.T) {
	ours, theirs := bars(t, "0-2 6-9"), bars(t, "0-4 7-9")
	ours[1].Close = number(t, "10.5")
	var got []string
	for _, f := range CompareKlines(Series{Dataset: "klines", Symbol: "BTC", Interval: "1m"}, ours, theirs, micro(start), micro(start+12*60e6)) {
		got = append(got, fmt.Sprintf("%s-%s %d %s %s %v", f.From.Format("4"), f.To.Format("4"), f.Count, f.Kind, f.Cause, f.Fields))
	}
	want := []string{
		"1-2 1 mismatch platform [close]",
		"3-5 2 missing platform []",
		"5-6 1 missing exchange []",
		"6-7 1 extra platform []",
		"10-12 2 missing exchange []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

func TestMicros(t *testing.T) {
	at := time.Date(2023, 3, 24, 12, 0, 0, 0, time.UTC)
	for unit, stored := range map[Unit]int64{Seconds: at.Unix(), Milliseconds: at.UnixMilli(), Microseconds: at.UnixMicro(), Nanoseconds: at.UnixNano()} {
		us, got, err := Micros(stored)
		if err != nil || us != at.UnixMicro() || got != unit {
			t.Errorf("Micros(%d) = %d, %s, %v; want %d, %s", stored, us, got, err, at.UnixMicro(), unit)
		}
	}
	for _, bad := range []int64{0, -1, 20230324, 5e11} {
		if _, _, err := Micros(bad); err == nil {
			t.Errorf("Micros(%d) has no error", bad)
		}
	}
}
