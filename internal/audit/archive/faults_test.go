package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// rows returns the lines of a file of the halt's day.
func rows(t testing.TB, path string) []string {
	t.Helper()
	f, err := parseName(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = f.Klines(func(k *audit.Kline, _ bool) {
		lines = append(lines, strings.Join([]string{
			strconv.FormatInt(k.OpenTime/1000, 10), k.Open.String(), k.High.String(), k.Low.String(), k.Close.String(), k.Volume.String(),
			strconv.FormatInt(k.CloseTime/1000, 10), k.QuoteVolume.String(), strconv.FormatInt(k.Trades, 10), k.TakerBase.String(), k.TakerQuote.String(), "0",
		}, ","))
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// check audits lines, and holds them against what they were.
func check(t testing.TB, symbol string, lines, original []string) (audit.Result, []audit.Finding) {
	t.Helper()
	s := audit.Series{Dataset: "klines", Symbol: symbol, Interval: "1m"}
	c, err := audit.NewKlineCheck(s)
	if err != nil {
		t.Fatal(err)
	}
	byTime := map[int64]audit.Kline{}
	err = readKlines(strings.NewReader(strings.Join(lines, "\n")), func(k *audit.Kline, wrongUnit bool) {
		c.Add(k, wrongUnit)
		if _, again := byTime[k.OpenTime]; !again {
			byTime[k.OpenTime] = *k
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var theirs []audit.Kline
	if err := readKlines(strings.NewReader(strings.Join(original, "\n")), func(k *audit.Kline, _ bool) { theirs = append(theirs, *k) }); err != nil {
		t.Fatal(err)
	}
	from, to := time.UnixMicro(theirs[0].OpenTime).UTC(), time.UnixMicro(theirs[len(theirs)-1].OpenTime).UTC().Add(time.Minute)
	var ours []audit.Kline
	for _, k := range byTime {
		ours = append(ours, k)
	}
	slices.SortFunc(ours, func(a, b audit.Kline) int { return int((a.OpenTime - b.OpenTime) / 1000) })
	return c.Result(from, to), audit.CompareKlines(s, ours, theirs, from, to)
}

// fault changes lines at i, and says what must be found: by the checks that cost
// nothing, and by the comparison with the exchange.
type fault struct {
	name string
	// traded faults would break a second rule in a bar without a trade.
	traded bool
	inject func(r *rand.Rand, lines []string, i int) (changed []string, local, compared []audit.Finding)
}

func at(line string, rest ...int64) (from, to time.Time) {
	ms, _ := strconv.ParseInt(line[:strings.IndexByte(line, ',')], 10, 64) // Written by rows.
	from = time.UnixMilli(ms).UTC()
	to = from.Add(time.Minute)
	if len(rest) > 0 {
		to = from.Add(time.Duration(rest[0]) * time.Minute)
	}
	return from, to
}

func expect(kind audit.Kind, line string, count int64, fields ...string) audit.Finding {
	from, to := at(line, count)
	return audit.Finding{Kind: kind, Cause: audit.Platform, From: from, To: to, Count: count, Fields: fields}
}

// expectMissing expects one finding for each stretch; the halt divides some.
func expectMissing(lines []string) []audit.Finding {
	var found []audit.Finding
	for _, line := range lines {
		f := expect(audit.Missing, line, 1)
		if n := len(found); n > 0 && found[n-1].To.Equal(f.From) {
			found[n-1].To = f.To
			found[n-1].Count++
			continue
		}
		found = append(found, f)
	}
	return found
}

// field returns the line with another value in a column.
func field(line string, column int, change func(string) string) string {
	fields := strings.Split(line, ",")
	fields[column] = change(fields[column])
	return strings.Join(fields, ",")
}

func shift(milliseconds int64) func(string) string {
	return func(s string) string {
		n, _ := strconv.ParseInt(s, 10, 64) // Written by rows.
		return strconv.FormatInt(n+milliseconds, 10)
	}
}

func faults() []fault {
	return []fault{
		{"missing", false, func(r *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			n := 1 + r.IntN(min(20, len(lines)-i-1))
			found := expectMissing(lines[i : i+n])
			return slices.Delete(slices.Clone(lines), i, i+n), found, found
		}},
		{"duplicate", false, func(_ *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			return slices.Insert(slices.Clone(lines), i+1, lines[i]), []audit.Finding{expect(audit.Duplicate, lines[i], 1)}, nil
		}},
		{"duplicate later on", false, func(r *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			j := i + 1 + r.IntN(len(lines)-i-1)
			return slices.Insert(slices.Clone(lines), j+1, lines[i]), []audit.Finding{expect(audit.Duplicate, lines[i], 1)}, nil
		}},
		{"duplicate with other values", true, func(_ *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			again := field(lines[i], 5, func(v string) string { return v + "1" })
			if !strings.Contains(strings.Split(lines[i], ",")[5], ".") {
				again = field(lines[i], 5, func(v string) string { return v + ".5" })
			}
			found := expect(audit.Duplicate, lines[i], 1, "volume")
			return slices.Insert(slices.Clone(lines), i+1, again), []audit.Finding{found}, nil
		}},
		{"shifted by seconds", false, func(r *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			by := shift(int64(1+r.IntN(58)) * 1000)
			changed := slices.Clone(lines)
			changed[i] = field(lines[i], 0, by)
			return changed, []audit.Finding{expect(audit.Mismatch, lines[i], 1, "open_time")}, skip
		}},
		{"shifted by a bar", false, func(_ *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			changed := slices.Clone(lines)
			changed[i] = field(field(lines[i], 0, shift(60_000)), 6, shift(60_000))
			found := []audit.Finding{expect(audit.Missing, lines[i], 1)}
			if next := expect(audit.Duplicate, lines[i+1], 1, anyFields); next.From.Equal(found[0].To) {
				found = append(found, next) // Else it falls into the halt, where nothing is in its place.
			}
			return changed, found, skip
		}},
		{"altered", true, func(r *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			column := []int{1, 4, 5, 7, 8, 9, 10}[r.IntN(7)]
			name := map[int]string{1: "open", 4: "close", 5: "volume", 7: "quote_volume", 8: "trades", 9: "taker_base", 10: "taker_quote"}[column]
			changed := slices.Clone(lines)
			changed[i] = field(lines[i], column, func(v string) string {
				if column == 8 {
					return v + "1"
				}
				if strings.Contains(v, ".") {
					return v + "1"
				}
				return v + ".1"
			})
			return changed, skip, []audit.Finding{expect(audit.Mismatch, lines[i], 1, name)}
		}},
		{"impossible", false, func(_ *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			changed := slices.Clone(lines)
			changed[i] = field(lines[i], 2, func(string) string { return "1" }) // The high below the rest.
			return changed, []audit.Finding{expect(audit.Mismatch, lines[i], 1, anyFields)}, []audit.Finding{expect(audit.Mismatch, lines[i], 1, "high")}
		}},
		{"out of order", false, func(r *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			j := i + 1 + r.IntN(len(lines)-i-1)
			changed := slices.Delete(slices.Clone(lines), i, i+1)
			return slices.Insert(changed, j, lines[i]), []audit.Finding{expect(audit.Order, lines[i], 1)}, nil
		}},
		{"wrong unit", false, func(r *rand.Rand, lines []string, i int) ([]string, []audit.Finding, []audit.Finding) {
			changed := slices.Clone(lines)
			unit := []func(string) string{
				func(v string) string { return v[:len(v)-3] }, // seconds
				func(v string) string { return v + "000" },    // microseconds
				func(v string) string { return v + "000000" }, // nanoseconds
			}[r.IntN(3)]
			changed[i] = field(lines[i], 0, unit)
			return changed, []audit.Finding{expect(audit.WrongUnit, lines[i], 1, "open_time")}, nil
		}},
	}
}

// skip: this check is not the one that has to find it.
var skip = []audit.Finding{{Kind: "skip"}}

// anyFields: which fields differ depends on the rows.

const anyFields = "*"

// The faults are put into the real rows of the day of the halt, near it too, in
// windows of two hours.
func TestEveryFaultIsFoundWithItsRangeAndCause(t *testing.T) {
	btc, sol := rows(t, "testdata/BTCUSDT-1m-2023-03-24.zip"), rows(t, "testdata/SOLUSDT-1m-2023-03-24.zip")
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	t.Logf("%d faults, seed %d", n, seed)
	all := faults()
	for trial := range n {
		start := r.IntN(len(btc) - 120)
		original := btc[start : start+120]
		peers := sol[start : start+120]
		i := 1 + r.IntN(len(original)-3)
		fault := all[trial%len(all)]
		for fault.traded && strings.HasSuffix(original[i], ",0,0,0,0,0") {
			i = 1 + r.IntN(len(original)-3)
		}
		changed, local, compared := fault.inject(r, original, i)

		result, against := check(t, "BTCUSDT", changed, original)
		other, _ := check(t, "SOLUSDT", peers, peers)
		if local[0].Kind != "skip" {
			compare(t, fault.name+", by itself", local, audit.Attribute([]audit.Result{result, other}))
		}
		if len(compared) == 0 || compared[0].Kind != "skip" {
			compare(t, fault.name+", against the exchange", compared, against)
		}
		if t.Failed() {
			t.Fatalf("trial %d with seed %d: line %d of\n%s", trial, seed, i, strings.Join(original, "\n"))
		}
	}
}

// compare wants exactly these findings of the platform's.
func compare(t *testing.T, name string, want, got []audit.Finding) {
	t.Helper()
	got = slices.DeleteFunc(slices.Clone(got), func(f audit.Finding) bool { return f.Cause == audit.Exchange })
	for i := range got {
		if i < len(want) && slices.Equal(want[i].Fields, []string{anyFields}) {
			got[i].Fields = want[i].Fields
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(audit.Finding{}, "Series", "Evidence"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: findings differ (-want +got):\n%s", name, diff)
	}
}

func TestUntouchedRowsHaveOneFindingOfTheExchange(t *testing.T) {
	files, err := List("testdata")
	if err != nil {
		t.Fatal(err)
	}
	report := Audit(t.Context(), files, Options{Market: "spot"})
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.String())
	}
	want := []string{
		"klines 1m (2 symbols: BTCUSDT, SOLUSDT): 80 missing, by the exchange, 2023-03-24T12:40:00Z to 2023-03-24T14:00:00Z: " +
			"every symbol that was read lacks these bars, the bar before ends early at 2023-03-24T12:39:41.646Z, after 72 bars without a trade since 2023-03-24T11:28:00Z",
		"klines BTCUSDT 15m: 5 missing, by the exchange, 2023-03-24T12:45:00Z to 2023-03-24T14:00:00Z: " +
			"the exchange suspended trading, the bar before ends early at 2023-03-24T12:39:41.646Z, after 5 bars without a trade since 2023-03-24T11:30:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	if want := int64(1360 + 1360 + 91); report.Rows != want {
		t.Errorf("got %d rows, want %d", report.Rows, want)
	}
}

func BenchmarkKlines(b *testing.B) {
	var text bytes.Buffer
	for i := range 100_000 {
		fmt.Fprintf(&text, "%d,23141.57000000,23154.70000000,23130.25000000,23143.73000000,326.95876000,%d,7566444.15513460,10994,185.27804000,4287862.12804110,0\n",
			1_700_000_000_000/60_000*60_000+i*60_000, 1_700_000_000_000/60_000*60_000+i*60_000+59_999)
	}
	rows := 0
	for b.Loop() {
		c, err := audit.NewKlineCheck(audit.Series{Dataset: "klines", Symbol: "BTCUSDT", Interval: "1m"})
		if err != nil {
			b.Fatal(err)
		}
		if err := readKlines(bytes.NewReader(text.Bytes()), func(k *audit.Kline, wrongUnit bool) { rows++; c.Add(k, wrongUnit) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
