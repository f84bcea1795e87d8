package postgres

import (
	"archive/zip"
	"cmp"
	"encoding/csv"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

var faultCount = flag.Int("faults", 200, "how many faults to put into real rows; 10000 take some minutes")

// storeReal stores the real bars of the day of a halt, of the files that
// internal/audit/archive is tested with, and returns the times of each symbol's.
func storeReal(t *testing.T, conn *pgx.Conn) map[string][]int64 {
	t.Helper()
	exec1(t, conn, `CREATE TABLE sound (symbol text, interval text, open_time bigint, open numeric, high numeric, low numeric, close numeric, volume numeric,
		close_time bigint, quote_volume numeric, trades int, taker_base numeric, taker_quote numeric, created_at timestamptz)`)
	times := map[string][]int64{}
	for _, symbol := range []string{"BTCUSDT", "SOLUSDT"} {
		z, err := zip.OpenReader("../archive/testdata/" + symbol + "-1m-2023-03-24.zip")
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		f, err := z.File[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			ms, err := strconv.ParseInt(l[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			times[symbol] = append(times[symbol], ms)
			exec1(t, conn, `INSERT INTO sound VALUES ($1, '1m', $2::text::bigint, $3::text::numeric, $4::text::numeric, $5::text::numeric, $6::text::numeric,
				$7::text::numeric, $8::text::bigint, $9::text::numeric, $10::text::int, $11::text::numeric, $12::text::numeric,
				to_timestamp(($2::text::bigint + 61000) / 1000.0))`,
				symbol, l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8], l[9], l[10])
		}
	}
	exec1(t, conn, "CREATE TABLE k (LIKE sound); CREATE INDEX ON k (symbol, interval, open_time); INSERT INTO k SELECT * FROM sound; ANALYZE k")
	return times
}

// found is what of a finding does not depend on the values.
type found struct {
	Kind     audit.Kind
	Cause    audit.Cause
	From, To int64 // minutes from the start of the day
	Count    int64
}

func minute(t time.Time) int64 { return t.Unix() / 60 % (24 * 60) }

// damage is SQL for the bar i, and what must be found.
type damage struct {
	name string
	sql  string
	want func(expect func(audit.Kind, int, int64) found) []found
}

// damagesOf a bar at ms, where the following n are to be concerned.
func damagesOf(r *rand.Rand, times []int64, i int) []damage {
	n := 1 + r.IntN(5)
	this := fmt.Sprintf("symbol = 'BTCUSDT' AND open_time = %d", times[i])
	one := func(kind audit.Kind) func(func(audit.Kind, int, int64) found) []found {
		return func(expect func(audit.Kind, int, int64) found) []found { return []found{expect(kind, i, 1)} }
	}
	set := func(name, assign string, kind audit.Kind) damage {
		return damage{name, "UPDATE k SET " + assign + " WHERE " + this, one(kind)}
	}
	all := []damage{
		{"missing", fmt.Sprintf("DELETE FROM k WHERE symbol = 'BTCUSDT' AND open_time >= %d AND open_time <= %d", times[i], times[i+n-1]), func(expect func(audit.Kind, int, int64) found) []found {
			var list []found
			for j := i; j < i+n; j++ { // The halt divides what is missing around it.
				f := expect(audit.Missing, j, 1)
				if last := len(list) - 1; last >= 0 && list[last].To == f.From {
					list[last].To, list[last].Count = f.To, list[last].Count+1
					continue
				}
				list = append(list, f)
			}
			return list
		}},
		{"duplicate", "INSERT INTO k SELECT * FROM k WHERE " + this, one(audit.Duplicate)},
		{"duplicate with another value", "INSERT INTO k (symbol, interval, open_time, open, high, low, close, volume) SELECT symbol, interval, open_time, low, high, low, high, volume + 1 FROM k WHERE " + this, one(audit.Duplicate)},
		set("impossible high", "high = 1", audit.Mismatch),
		set("impossible low", "low = high + 1", audit.Mismatch),
		set("negative volume", "taker_quote = -1", audit.Mismatch),
		set("taker above all", "taker_base = volume + 0.00000001", audit.Mismatch),
		set("trades and no volume", "volume = 0, taker_base = 0, trades = 7", audit.Mismatch),
		set("closed after the bar", "close_time = open_time + 60000", audit.Mismatch),
		set("off the grid", "open_time = open_time + 7000", audit.Mismatch),
		set("no price", "open = NULL", audit.Mismatch),
		set("price that is no number", "close = 'NaN'", audit.Mismatch),
		set("late", "created_at = created_at + interval '10 minutes'", audit.Late),
		set("seconds", "open_time = open_time / 1000", audit.WrongUnit),
		set("microseconds", "open_time = open_time * 1000", audit.WrongUnit),
		set("nanoseconds", "open_time = open_time * 1000000", audit.WrongUnit),
	}
	if times[i+1] == times[i]+60_000 { // Else it falls into the halt, where nothing is in its place.
		all = append(all, damage{"shifted", "UPDATE k SET open_time = open_time + 60000, close_time = close_time + 60000 WHERE " + this, func(expect func(audit.Kind, int, int64) found) []found {
			return []found{expect(audit.Missing, i, 1), expect(audit.Duplicate, i+1, 1)}
		}})
	}
	return all
}

// The faults are put into real rows of the day of the halt, near it too; each is
// found with its range and cause, and nothing else is.
func TestEveryFaultInRealRowsIsFound(t *testing.T) {
	dsn, conn := database(t)
	times := storeReal(t, conn)["BTCUSDT"]
	m := allMapped()
	table, err := open(t, dsn).Table(t.Context(), m, origin)
	if err != nil {
		t.Fatal(err)
	}
	table.chunk.Store(40)
	table.piece = 10
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("%d faults, seed %d", *faultCount, seed)
	expect := func(kind audit.Kind, i int, n int64) found {
		from := minute(time.UnixMilli(times[i]))
		return found{kind, audit.Platform, from, from + n, n}
	}
	for trial := range *faultCount {
		start := r.IntN(len(times) - 120)
		i := start + 1 + r.IntN(120-8)
		o := audit.Options{From: time.UnixMilli(times[start]).UTC(), To: time.UnixMilli(times[start+119]).UTC().Add(time.Minute), LateAfter: time.Minute}
		all := damagesOf(r, times, i)
		d := all[trial%len(all)]
		exec1(t, conn, d.sql)
		report, err := audit.Once(t.Context(), table, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []found
		for _, f := range report.Findings {
			if f.Cause == audit.Exchange {
				continue
			}
			got = append(got, found{f.Kind, f.Cause, minute(f.From), minute(f.To), f.Count})
		}
		want := d.want(expect)
		order := func(a, b found) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Kind, b.Kind)) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("%s at %s, trial %d of seed %d: findings differ (-want +got):\n%s\n%v",
				d.name, time.UnixMilli(times[i]).UTC(), trial, seed, diff, report.Findings)
		}
		exec1(t, conn, "DELETE FROM k WHERE symbol = 'BTCUSDT' AND (open_time >= $1 AND open_time <= $2 OR open_time < 1000000000000 OR open_time > 100000000000000)",
			times[max(0, i-1)], times[min(len(times)-1, i+8)])
		exec1(t, conn, "INSERT INTO k SELECT * FROM sound WHERE symbol = 'BTCUSDT' AND open_time >= $1 AND open_time <= $2", times[max(0, i-1)], times[min(len(times)-1, i+8)])
	}
	report, err := audit.Once(t.Context(), table, audit.Options{LateAfter: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	// What is left is as it was: the halt, and nothing of the platform's.
	if len(report.Findings) != 1 || report.Findings[0].Cause != audit.Exchange || report.Findings[0].Count != 80 || report.Rows != 2720 {
		t.Errorf("untouched: %d rows, got %v, want the exchange's halt of 80 bars", report.Rows, report.Findings)
	}
}
