package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// rowWise hides that a table can digest: every bar is read.
type rowWise struct{ audit.Rows }

// counting counts the bars that are read one by one.
type counting struct {
	*Table
	read int
}

func (c *counting) Klines(ctx context.Context, s audit.Series, from, to time.Time, each func(*audit.Kline, bool)) error {
	return c.Table.Klines(ctx, s, from, to, func(k *audit.Kline, wrongUnit bool) { c.read++; each(k, wrongUnit) })
}

// layouts are the types that a digest can judge, and one that it cannot.
var layouts = map[string]struct {
	time, close, created, number string // types
	at                           string // SQL of a time of so many ms
}{
	"timestamptz, numeric":       {"timestamptz", "timestamptz", "timestamptz", "numeric", "to_timestamp((%s) / 1000.0)"},
	"ms, numeric of scale":       {"bigint", "bigint", "timestamptz", "numeric(24,8)", "%s"},
	"µs, double precision":       {"bigint", "bigint", "bigint", "double precision", "(%s) * 1000"},
	"s, numeric":                 {"integer", "bigint", "timestamptz", "numeric", "(%s) / 1000"},
	"timestamp(0), double":       {"timestamp(0)", "timestamp", "timestamp", "double precision", "to_timestamp((%s) / 1000.0) AT TIME ZONE 'UTC'"},
	"ms, text, which is no type": {"bigint", "bigint", "bigint", "text", "%s"},
}

const allColumns = "symbol, interval, open_time, open, high, low, close, volume, close_time, quote_volume, trades, taker_base, taker_quote, created_at"

func allMapped() Mapping {
	m := Mapping{Preset: "klines", Table: "k", Columns: map[string]string{}}
	for _, c := range []string{"close_time", "quote_volume", "trades", "taker_base", "taker_quote", "created_at"} {
		m.Columns[c] = c
	}
	return m
}

// faultsOf returns statements that damage the bar i of BTCUSDT. Some damage is
// none that a check without the exchange could see; both ways must agree on it.
// kind goes through all of them.
func faultsOf(r *rand.Rand, kind int, at func(ms string) string, text bool) []string {
	i := 1 + r.IntN(590)
	ms := func(i int) string { return fmt.Sprintf("1793491200000 + %d * 60000::bigint", i) }
	this := "symbol = 'BTCUSDT' AND open_time = " + at(ms(i))
	set := func(column, value string) []string {
		return []string{fmt.Sprintf("UPDATE k SET %s = %s WHERE %s", column, value, this)}
	}
	n := 1 + r.IntN(5)
	column := []string{"open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote"}[r.IntN(8)]
	several := fmt.Sprintf("symbol = 'BTCUSDT' AND open_time >= %s AND open_time < %s", at(ms(i)), at(ms(i+n)))
	both := strings.Replace(several, "symbol = 'BTCUSDT' AND ", "", 1)
	again := fmt.Sprintf("INSERT INTO k SELECT %s FROM k WHERE %s", allColumns, this)
	all := [][]string{
		{"DELETE FROM k WHERE " + several},
		{"DELETE FROM k WHERE " + both}, // A halt.
		{again},
		{again, "DELETE FROM k WHERE symbol = 'BTCUSDT' AND open_time = " + at(ms(i+1))}, // The count is right.
		{fmt.Sprintf("INSERT INTO k SELECT %s FROM k WHERE %s", strings.Replace(allColumns, "close,", "open,", 1), this)},
		set("open_time", at(ms(i)+" + 7000")),
		set("open_time", at(ms(i+1))), // One twice, one missing.
		set("close_time", at(ms(i)+" + 30000")),
		set("close_time", at(ms(i)+" + 60000")),
		set("close_time", "NULL"),
		set("created_at", "NULL"),
		set("created_at", at(ms(i)+" + 60000 + 61000")),
		set("created_at", at(ms(i)+" + 60000 + 60000")),
		set("trades", "0"), set("trades", "-1"), set("trades", "NULL"), set("volume", "0"),
		set(column, "NULL"),
		set(column, "'NaN'"), set(column, "-0.5"), set(column, "1"), set(column, "100000.25"), set(column, "12.000000015"), set(column, "12.00000001499999"),
		{ // The last bar of a piece does not say when it closed, and a gap follows.
			"UPDATE k SET close_time = NULL WHERE open_time = " + at(ms(i/10*10+9)),
			fmt.Sprintf("DELETE FROM k WHERE open_time > %s AND open_time < %s", at(ms(i/10*10+9)), at(ms(i/10*10+13))),
		},
		{"UPDATE k SET open = 'NaN', high = 'NaN', low = 'NaN', close = 'NaN' WHERE " + this},
		// Of floats the low is more than the others when they are read, and the taker's volume more than all.
		{"UPDATE k SET low = 1e-9, open = 1.00000000012e-9, high = 1.00000000012e-9, close = 1.00000000012e-9 WHERE " + this},
		{"UPDATE k SET taker_base = 1e-9, volume = 1.00000000012e-9 WHERE " + this},
		{"UPDATE k SET taker_base = 0, volume = 1e-15 WHERE " + this},
		{fmt.Sprintf("UPDATE k SET trades = 0, volume = 0, quote_volume = 0, taker_base = 0, taker_quote = 0, high = low, open = low, close = low WHERE %s", both)},
		{ // A halt as they are: idle bars, one cut short, none.
			fmt.Sprintf("UPDATE k SET trades = 0, volume = 0, quote_volume = 0, taker_base = 0, taker_quote = 0, high = low, open = low, close = low WHERE open_time >= %s AND open_time < %s", at(ms(i)), at(ms(i+n))),
			fmt.Sprintf("UPDATE k SET close_time = %s WHERE open_time = %s", at(ms(i+n-1)+" + 20000"), at(ms(i+n-1))),
			fmt.Sprintf("DELETE FROM k WHERE open_time >= %s AND open_time < %s", at(ms(i+n)), at(ms(i+n+40))),
		},
	}
	if strings.HasPrefix(at("X"), "to_timestamp") {
		all = append(all, set("created_at", "'-infinity'"), set("created_at", "'infinity'"), set("open_time", "'infinity'"))
	} else {
		all = append(all, set("open_time", "open_time / 1000"), set("close_time", "close_time / 1000"))
	}
	if text {
		all = append(all, set(column, "'n/a'"), set(column, "''"))
	}
	return all[kind%len(all)]
}

// The verdict of the server is that of reading every row, whatever is wrong.
func TestDigestAgreesWithReadingEachRow(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	trials := 46
	if testing.Short() {
		trials = 8
	}
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			dsn, conn := database(t)
			at := func(ms string) string { return fmt.Sprintf(l.at, ms) }
			start := "(1793491200000 + i * 60000::bigint)"
			exec1(t, conn, fmt.Sprintf(`CREATE TABLE sound (symbol text, interval text, open_time %[1]s, open %[4]s, high %[4]s, low %[4]s, close %[4]s, volume %[4]s,
				close_time %[2]s, quote_volume %[4]s, trades int, taker_base %[4]s, taker_quote %[4]s, created_at %[3]s);
				INSERT INTO sound SELECT s, '1m', %[5]s, 10.1 + i %% 7, 20.3, 9.00000001, 11.7, 12.5, %[6]s, 1000 + i / 3.0::numeric(20,8), 3, 2.25, 400.5, %[7]s
					FROM unnest(ARRAY['BTCUSDT','ETHUSDT']) s, generate_series(0, 599) i;
				CREATE TABLE k (LIKE sound); CREATE INDEX ON k (symbol, interval, open_time)`,
				l.time, l.close, l.created, l.number, at(start), at(start+" + 59000"),
				map[bool]string{true: fmt.Sprintf("to_timestamp((%s + 61000) / 1000.0)", start), false: at(start + " + 61000")}[l.created == "timestamptz"]))
			db := open(t, dsn)
			exec1(t, conn, "INSERT INTO k SELECT * FROM sound; ANALYZE k")
			table, err := db.Table(t.Context(), allMapped(), origin)
			if err != nil {
				t.Fatal(err)
			}
			table.chunk.Store(60)
			table.piece = 10
			r := rand.New(rand.NewPCG(seed, 0))
			for trial := range trials {
				exec1(t, conn, "TRUNCATE k; INSERT INTO k SELECT * FROM sound")
				var done []string
				for n := range 1 + r.IntN(4) {
					for _, sql := range faultsOf(r, trial+n*r.IntN(1000), at, l.number == "text") {
						done = append(done, sql)
						if _, err := conn.Exec(t.Context(), sql); err != nil { // Not every type has every value.
							done[len(done)-1] += " -- " + err.Error()
						}
					}
				}
				o := audit.Options{LateAfter: time.Minute}
				if trial%2 == 1 {
					o.From, o.To = time.UnixMilli(1793491200000).UTC().Add(25*time.Minute), time.UnixMilli(1793491200000).UTC().Add(571*time.Minute+30*time.Second)
				}
				compareWays(t, table, o)
				if t.Failed() {
					t.Fatalf("trial %d, seed %d, after\n%s", trial, seed, strings.Join(done, "\n"))
				}
			}
		})
	}
}

func compareWays(t *testing.T, table *Table, o audit.Options) {
	t.Helper()
	want, err := audit.Once(t.Context(), rowWise{table}, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := audit.Once(t.Context(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(audit.Result{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("reports differ (-row by row +digest):\n%s", diff)
	}
}

// Of sound bars none is read, and of others a piece.
func TestDigestReadsNoSoundBars(t *testing.T) {
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			dsn, conn := database(t)
			exec1(t, conn, fmt.Sprintf(klinesSQL, l.time, l.number, fmt.Sprintf(l.at, "extract(epoch FROM at)::bigint * 1000"), 6000))
			exec1(t, conn, "DELETE FROM klines WHERE symbol = 'ETHUSDT' AND open_time = "+fmt.Sprintf(l.at, "1793491200000 + 3000 * 60000::bigint"))
			table, err := open(t, dsn).Table(t.Context(), Mapping{Preset: "klines"}, origin)
			if err != nil {
				t.Fatal(err)
			}
			table.chunk.Store(2000)
			table.piece = 100
			for symbol, most := range map[string]int{"BTCUSDT": 0, "ETHUSDT": 100} {
				s := audit.Series{Dataset: audit.Klines, Symbol: symbol, Interval: "1m"}
				check, err := audit.NewKlineCheck(s)
				if err != nil {
					t.Fatal(err)
				}
				if l.number == "text" {
					most = 6000
				}
				counted := &counting{Table: table}
				if err := check.Read(t.Context(), counted, time.Time{}, time.Time{}); err != nil {
					t.Fatal(err)
				}
				rows, want := check.Result(time.Time{}, time.Time{}).Rows, int64(6000)
				if symbol == "ETHUSDT" {
					want--
				}
				if rows != want || counted.read > most {
					t.Errorf("%s: %d rows judged, %d read, want at most %d", symbol, rows, counted.read, most)
				}
			}
		})
	}
}

// What a slow server cannot judge in time, it judges in pieces.
func TestDigestThatTakesTooLongIsCutIntoPieces(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "numeric", "at", 400))
	exec1(t, conn, "DELETE FROM klines WHERE symbol <> 'BTCUSDT'; CREATE VIEW slow AS SELECT * FROM klines WHERE pg_sleep(0.01) IS NOT NULL")
	c := DefaultConfig()
	c.DSN, c.Share, c.StatementTimeout = audit.Secret(dsn), 1, 2*time.Second
	db, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table, err := db.Table(t.Context(), Mapping{Preset: "klines", Table: "slow"}, origin)
	if err != nil {
		t.Fatal(err)
	}
	table.chunk.Store(400)
	table.piece = 20
	counted := &counting{Table: table}
	report, err := audit.Once(t.Context(), counted, audit.Options{})
	if err != nil || len(report.Findings) > 0 || report.Rows != 400 || counted.read > 0 {
		t.Errorf("got %d rows, %d of them read, findings %v, %v; want 400 judged", report.Rows, counted.read, report.Findings, err)
	}
	if got := table.chunk.Load(); got != 100 {
		t.Errorf("the next chunk is of %d bars, want 100", got)
	}
}
