package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

var origin = audit.Series{Source: "platform", Market: "usdm"}

// klinesSQL makes n sound bars of each symbol from 2026-11-01 on.
const klinesSQL = `CREATE TABLE klines (symbol text, interval text, open_time %s, open %[2]s, high %[2]s, low %[2]s, close %[2]s, volume %[2]s);
	INSERT INTO klines SELECT s, '1m', %[3]s, 10.5, 12.25, 9, 11, 0.00000001 FROM unnest(ARRAY['BTCUSDT','ETHUSDT','SOLUSDT']) s,
		(SELECT timestamptz '2026-11-01 00:00Z' + i * interval '1 minute' AS at FROM generate_series(0, %[4]d - 1) i) i;
	CREATE INDEX ON klines (symbol, interval, open_time); ANALYZE klines`

func findings(t *testing.T, dsn string, m Mapping, o audit.Options) (audit.Report, []string) {
	t.Helper()
	table, err := open(t, dsn).Table(context.Background(), m, origin)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Once(context.Background(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range report.Findings {
		lines = append(lines, fmt.Sprintf("%s %s-%s %d %s %s", f.Series.Account+f.Series.Symbol+strings.Join(f.Symbols, "+"),
			f.From.Format("02T15:04"), f.To.Format("02T15:04"), f.Count, f.Kind, f.Cause))
	}
	return report, lines
}

func TestKlinesOfEachType(t *testing.T) {
	for name, types := range map[string][3]string{
		"timestamptz and numeric":    {"timestamptz", "numeric", "at"},
		"timestamp and float":        {"timestamp", "double precision", "at AT TIME ZONE 'UTC'"},
		"milliseconds and text":      {"bigint", "text", "extract(epoch FROM at)::bigint * 1000"},
		"seconds and numeric":        {"integer", "numeric(30,12)", "extract(epoch FROM at)::integer"},
		"microseconds and varchar":   {"bigint", "varchar(40)", "extract(epoch FROM at)::bigint * 1000000"},
		"milliseconds, short floats": {"bigint", "real", "extract(epoch FROM at)::bigint * 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			dsn, conn := database(t)
			exec1(t, conn, fmt.Sprintf(klinesSQL, types[0], types[1], types[2], 200))
			exec1(t, conn, `DELETE FROM klines WHERE symbol = 'ETHUSDT' AND ctid IN (
				SELECT ctid FROM klines WHERE symbol = 'ETHUSDT' ORDER BY open_time OFFSET 60 LIMIT 3)`)
			report, got := findings(t, dsn, Mapping{Preset: "klines"}, audit.Options{})
			if diff := cmp.Diff([]string{"ETHUSDT 01T01:00-01T01:03 3 missing platform"}, got); diff != "" || report.Rows != 597 {
				t.Errorf("%d rows, findings differ (-want +got):\n%s", report.Rows, diff)
			}
		})
	}
}

// Rows that share a time must neither be lost nor read again between pages.
// The ids of the trades in bars are found by discovery; NULL is not known, one of the
// two columns by itself says nothing.
func TestTradeIDsOfBarsAreRead(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, `CREATE TABLE bars (symbol text, interval text, open_time bigint, open numeric, high numeric, low numeric, close numeric, volume numeric,
			trades int, first_trade_id bigint, last_trade_id bigint);
		INSERT INTO bars SELECT 'BTCUSDT', '1m', 1793491200000 + i * 60000::bigint, 10, 12, 9, 11, 1, 5, i * 5, i * 5 + 4 FROM generate_series(1, 100) i;
		UPDATE bars SET last_trade_id = NULL WHERE open_time = 1793491200000 + 10 * 60000;
		UPDATE bars SET first_trade_id = first_trade_id + 1, trades = 4 WHERE open_time = 1793491200000 + 20 * 60000;
		UPDATE bars SET trades = 6 WHERE open_time = 1793491200000 + 30 * 60000;
		CREATE TABLE half (LIKE bars); ALTER TABLE half DROP COLUMN first_trade_id;
		INSERT INTO half SELECT symbol, interval, open_time, open, high, low, close, volume, 5, last_trade_id FROM bars`)
	proposals, err := open(t, dsn).Discover(context.Background())
	if err != nil || len(proposals) != 2 {
		t.Fatalf("got %v, %v", proposals, err)
	}
	for i, want := range [][]string{{"10:20-10:21 [first_id]", "10:30-10:31 [trades first_id last_id]"}, nil} {
		table, err := open(t, dsn).Table(context.Background(), proposals[i].Mapping, audit.Series{Source: "platform", Market: "spot"})
		if err != nil {
			t.Fatal(err)
		}
		report, err := audit.Once(context.Background(), table, audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range report.Findings {
			begin := time.UnixMilli(1793491200000 - 10*3_600_000)
			at := func(t time.Time) string { return time.Time{}.Add(t.Sub(begin)).Format("15:04") }
			got = append(got, fmt.Sprintf("%s-%s %v", at(f.From), at(f.To), f.Fields))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("table %s: findings differ (-want +got):\n%s", proposals[i].Mapping.Table, diff)
		}
	}
}

func TestPagesMeetWithoutLossOrRepetition(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "numeric", "at", 2*pageRows+5))
	exec1(t, conn, fmt.Sprintf(`INSERT INTO klines SELECT k.* FROM klines k, generate_series(1, 3)
		WHERE symbol = 'BTCUSDT' AND open_time = timestamptz '2026-11-01 00:00Z' + %d * interval '1 minute'`, pageRows-2))
	report, got := findings(t, dsn, Mapping{Preset: "klines"}, audit.Options{})
	at := time.Date(2026, 11, 1, 0, pageRows-2, 0, 0, time.UTC)
	want := []string{fmt.Sprintf("BTCUSDT %s-%s 3 duplicate platform", at.Format("02T15:04"), at.Add(time.Minute).Format("02T15:04"))}
	for i, line := range got { // Each double is a finding or one of three.
		if !strings.Contains(line, "duplicate") {
			t.Errorf("finding %d: %s", i, line)
		}
	}
	if wantRows := int64(3*(2*pageRows+5) + 3); report.Rows != wantRows || len(got) == 0 {
		t.Errorf("got %d rows and %v, want %d and %v", report.Rows, got, wantRows, want)
	}
}

func TestTimesInAnotherUnitAreNamed(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, fmt.Sprintf(klinesSQL, "bigint", "numeric", "extract(epoch FROM at)::bigint * 1000", 200))
	exec1(t, conn, `UPDATE klines SET open_time = open_time * 1000 WHERE symbol = 'BTCUSDT' AND open_time = 1793491200000 + 60000 * 10;
		UPDATE klines SET open_time = open_time / 1000 WHERE symbol = 'SOLUSDT' AND open_time = 1793491200000 + 60000 * 20`)
	_, got := findings(t, dsn, Mapping{Preset: "klines"}, audit.Options{})
	want := []string{"BTCUSDT 01T00:10-01T00:11 1 unit platform", "SOLUSDT 01T00:20-01T00:21 1 unit platform"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

func TestValuesThatCannotBeReadAreFindings(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "text", "at", 50))
	exec1(t, conn, `UPDATE klines SET close = NULL WHERE symbol = 'BTCUSDT' AND open_time = '2026-11-01 00:10Z';
		UPDATE klines SET high = 'n/a' WHERE symbol = 'ETHUSDT' AND open_time = '2026-11-01 00:11Z'`)
	report, got := findings(t, dsn, Mapping{Preset: "klines"}, audit.Options{})
	want := []string{"BTCUSDT 01T00:10-01T00:11 1 mismatch platform", "ETHUSDT 01T00:11-01T00:12 1 mismatch platform"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	for i, part := range []string{"close is NULL", `high "n/a" is not a number`} {
		if i < len(report.Findings) && !strings.Contains(report.Findings[i].Evidence, part) {
			t.Errorf("got evidence %q, want %q in it", report.Findings[i].Evidence, part)
		}
	}
}

const platformSQL = `
CREATE TABLE ts_user_trades (id uuid DEFAULT gen_random_uuid(), buyer bool, commission numeric, commission_asset text, trade_id int8, maker bool,
	order_id int8, price numeric, qty numeric, quote_qty numeric, realized_pnl numeric, side text, position_side text, symbol text,
	time timestamptz, time_unix int8, account_id uuid, created_at timestamptz, updated_at timestamptz);
CREATE INDEX ON ts_user_trades (account_id, symbol, time);
INSERT INTO ts_user_trades (trade_id, price, qty, quote_qty, commission, realized_pnl, symbol, time, account_id, created_at)
	SELECT 1000 + 7 * i, 100, 2, 200, 0.08, 0, s, timestamptz '2026-11-01 00:00Z' + i * interval '10 minutes', a::uuid,
		timestamptz '2026-11-01 00:00:02Z' + i * interval '10 minutes'
	FROM generate_series(0, 99) i, unnest(ARRAY['BTCUSDT','ETHUSDT']) s,
		unnest(ARRAY['00000000-0000-0000-0000-00000000000a','00000000-0000-0000-0000-00000000000b']) a;
CREATE TABLE ts_future_incomes (id uuid DEFAULT gen_random_uuid(), account_id uuid, symbol text, income_type text, income numeric, asset text,
	info text, time timestamptz, time_unix int8, trade_id text, tran_id text, created_at timestamptz, updated_at timestamptz);
CREATE UNIQUE INDEX ON ts_future_incomes (account_id, income_type, tran_id, time_unix);
CREATE INDEX ON ts_future_incomes (account_id, time_unix);
INSERT INTO ts_future_incomes (account_id, symbol, income_type, income, asset, time_unix, tran_id, created_at)
	SELECT '00000000-0000-0000-0000-00000000000a', 'BTCUSDT', 'FUNDING_FEE', -0.0125, 'USDT', 1793491200000 + i * 28800000, (9000 + i)::text,
		to_timestamp(1793491205 + i * 28800) FROM generate_series(0, 20) i;`

func TestPresetsReadThePlatformsTables(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, platformSQL)
	for _, preset := range []string{"ts_user_trades", "ts_future_incomes"} {
		if report, got := findings(t, dsn, Mapping{Preset: preset}, audit.Options{LateAfter: time.Minute}); len(got) > 0 || report.Rows == 0 {
			t.Errorf("%s: %d rows, findings %v", preset, report.Rows, got)
		}
	}
	exec1(t, conn, `INSERT INTO ts_user_trades SELECT * FROM ts_user_trades WHERE trade_id = 1070 AND symbol = 'ETHUSDT' AND account_id::text LIKE '%b';
		UPDATE ts_user_trades SET created_at = time + interval '9 minutes' WHERE trade_id = 1007 AND symbol = 'BTCUSDT' AND account_id::text LIKE '%a';
		INSERT INTO ts_future_incomes (account_id, income_type, income, time_unix, tran_id) SELECT account_id, income_type, 5, time_unix + 1, tran_id
			FROM ts_future_incomes WHERE tran_id = '9003'`)
	_, got := findings(t, dsn, Mapping{Preset: "ts_user_trades"}, audit.Options{LateAfter: time.Minute})
	want := []string{
		"00000000-0000-0000-0000-00000000000aBTCUSDT 01T00:10-01T00:10 1 late platform",
		"00000000-0000-0000-0000-00000000000bETHUSDT 01T01:40-01T01:40 1 duplicate platform",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fills: findings differ (-want +got):\n%s", diff)
	}
	_, got = findings(t, dsn, Mapping{Preset: "ts_future_incomes"}, audit.Options{})
	want = []string{"00000000-0000-0000-0000-00000000000a 02T00:00-02T00:00 1 duplicate platform"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("incomes: findings differ (-want +got):\n%s", diff)
	}
}

func TestDiscoverProposesMappings(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, platformSQL)
	exec1(t, conn, `CREATE SCHEMA market; CREATE TABLE market.candles (pair text, timeframe text, ts bigint, o numeric, h numeric, l numeric, c numeric, v numeric);
		CREATE TABLE market.agg (symbol text, agg_trade_id bigint, first_trade_id bigint, last_trade_id bigint, price numeric, qty numeric, time bigint);
		CREATE TABLE users (id bigint, name text, created_at timestamptz)`)
	got, err := open(t, dsn).Discover(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range got {
		if err := p.Mapping.Validate(); err != nil {
			t.Errorf("proposes a mapping that is refused: %v", err)
		}
		lines = append(lines, p.Mapping.Table+" "+p.Mapping.Dataset+" "+p.Mapping.Preset)
	}
	want := []string{"market.agg aggTrades ", "market.candles klines ", "ts_future_incomes incomes ts_future_incomes", "ts_user_trades userTrades ts_user_trades"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("proposals differ (-want +got):\n%s", diff)
	}
}

func TestTableRefusesWhatItCannotRead(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "numeric", "at", 10))
	exec1(t, conn, `CREATE TABLE big AS SELECT 'BTCUSDT' AS symbol, '1m' AS interval, timestamptz '2020-01-01 00:00Z' + i * interval '1 minute' AS open_time,
		1.5 AS open, 1.5 AS high, 1.5 AS low, 1.5 AS close, 0.5 AS volume FROM generate_series(1, 400000) i; ANALYZE big;
		CREATE TABLE texts AS SELECT symbol, interval, open_time::text, open, high, low, close, volume FROM klines;
		CREATE ROLE nobody LOGIN`)
	for _, tt := range []struct {
		name, dsn string
		mapping   Mapping
		want      string
	}{
		{"no table", dsn, Mapping{Preset: "klines", Table: "candles"}, "there is no table candles"},
		{"no column", dsn, Mapping{Preset: "klines", Columns: map[string]string{"volume": "vol"}}, `table klines has no column "vol" for volume; it has close`},
		{"no index", dsn, Mapping{Preset: "klines", Table: "big"}, "CREATE INDEX CONCURRENTLY ON big (symbol, interval, open_time)"},
		{"text times", dsn, Mapping{Preset: "klines", Table: "texts"}, "column open_time is text"},
		{"no permission", strings.Replace(dsn, "postgres@", "nobody@", 1), Mapping{Preset: "klines"}, "grant SELECT"},
		{"no server", "postgres://postgres@127.0.0.1:1/x", Mapping{Preset: "klines"}, "is it up"},
		{"no field", dsn, Mapping{Preset: "klines", Columns: map[string]string{"opened": "x"}}, "klines have no such field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, tt.dsn).Table(context.Background(), tt.mapping, origin)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// A connection that breaks leaves the range unchecked, and the next read mends it.
func TestBrokenConnectionIsUnknownAndMends(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "numeric", "at", 3*pageRows))
	table, err := open(t, dsn).Table(context.Background(), Mapping{Preset: "klines"}, origin)
	if err != nil {
		t.Fatal(err)
	}
	s := audit.Series{Dataset: audit.Klines, Symbol: "BTCUSDT", Interval: "1m"}
	n := 0
	err = table.Klines(context.Background(), s, time.Time{}, time.Time{}, func(*audit.Kline, bool) {
		if n++; n == pageRows+1 {
			exec1(t, conn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hedgewatch audit' AND datname = current_database()`)
		}
	})
	if err == nil {
		t.Fatalf("read %d rows from a connection that was cut, without an error", n)
	}
	n = 0
	if err := table.Klines(context.Background(), s, time.Time{}, time.Time{}, func(*audit.Kline, bool) { n++ }); err != nil || n != 3*pageRows {
		t.Errorf("after it: %d rows, %v; want %d", n, err, 3*pageRows)
	}
}

// Neither the database's time zone nor its style of dates changes what is read.
func TestTimeZoneOfTheDatabaseDoesNotMatter(t *testing.T) {
	for typ, at := range map[string]string{
		"timestamptz": "at", "timestamptz(3)": "at", "timestamp": "at AT TIME ZONE 'UTC'", "timestamp(0)": "at AT TIME ZONE 'UTC'",
	} {
		t.Run(typ, func(t *testing.T) {
			dsn, conn := database(t)
			exec1(t, conn, fmt.Sprintf(klinesSQL, typ, "numeric", at, 2000))
			exec1(t, conn, "DELETE FROM klines WHERE symbol = 'ETHUSDT' AND open_time = "+strings.Replace(at, "at", "timestamptz '2026-11-02 00:00Z'", 1))
			for _, setting := range []string{"timezone = 'Asia/Tokyo'", "datestyle = 'German'"} {
				exec1(t, conn, "ALTER DATABASE "+conn.Config().Database+" SET "+setting)
			}
			_, got := findings(t, dsn, Mapping{Preset: "klines"}, audit.Options{})
			if diff := cmp.Diff([]string{"ETHUSDT 02T00:00-02T00:01 1 missing platform"}, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

// Rows without a key or a time are in no series; they must not be passed over.
func TestRowsWithoutKeyOrTimeAreAnError(t *testing.T) {
	for column, want := range map[string]string{"symbol": "column symbol is NULL", "interval": "column interval is NULL", "open_time": "column open_time is NULL"} {
		t.Run(column, func(t *testing.T) {
			dsn, conn := database(t)
			exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "numeric", "at", 50))
			exec1(t, conn, fmt.Sprintf("UPDATE klines SET %s = NULL WHERE symbol = 'ETHUSDT' AND open_time = '2026-11-01 00:10Z'", column))
			table, err := open(t, dsn).Table(t.Context(), Mapping{Preset: "klines"}, origin)
			if err != nil {
				t.Fatal(err)
			}
			report, err := audit.Once(t.Context(), table, audit.Options{})
			var unread []string
			if err != nil {
				unread = []string{err.Error()}
			}
			for _, f := range report.Findings {
				if f.Kind != audit.Unchecked || f.Series.Symbol != "ETHUSDT" {
					t.Errorf("got %s, want only ETHUSDT unchecked", f)
				}
				unread = append(unread, f.Evidence)
			}
			if len(unread) != 1 || !strings.Contains(unread[0], want) {
				t.Errorf("got %q, want one error with %q", unread, want)
			}
		})
	}
}

// What breaks while the server judges leaves the series unchecked, and is mended
// by the next read.
func TestDigestThatBreaksIsUnknownAndMends(t *testing.T) {
	for name, breakage := range map[string]struct{ do, undo, want string }{
		"connection": {"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hedgewatch audit' AND datname = current_database()", "SELECT 1", ""},
		"permission": {"REVOKE SELECT ON klines FROM reader", "GRANT SELECT ON klines TO reader", "grant SELECT to the user of the audit"},
		"column":     {"ALTER TABLE klines RENAME close TO closed", "ALTER TABLE klines RENAME closed TO close", `column "close" does not exist`},
		"lock":       {"BEGIN; LOCK TABLE klines IN ACCESS EXCLUSIVE MODE", "ROLLBACK", "lock timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			dsn, conn := database(t)
			exec1(t, conn, fmt.Sprintf(klinesSQL, "timestamptz", "numeric", "at", 3000))
			exec1(t, conn, "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT ON klines TO reader")
			t.Cleanup(func() { exec1(t, conn, "DROP OWNED BY reader; DROP ROLE reader") })
			table, err := open(t, strings.Replace(dsn, "postgres@", "reader@", 1)).Table(t.Context(), Mapping{Preset: "klines"}, origin)
			if err != nil {
				t.Fatal(err)
			}
			table.chunk.Store(100)
			table.piece = 10
			list, err := table.Series(t.Context())
			if err != nil || len(list) != 3 {
				t.Fatalf("got series %v, %v", list, err)
			}
			broken := &breaking{Table: table, at: 5, do: func() { exec1(t, conn, breakage.do) }}
			o := audit.Options{From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 3, 2, 0, 0, 0, time.UTC)}
			report, err := audit.CheckSeries(t.Context(), broken, list[:1], o)
			if err != nil || len(report.Findings) != 1 {
				t.Fatalf("got %v and %v, want one finding", report.Findings, err)
			}
			f := report.Findings[0]
			if f.Kind != audit.Unchecked || !f.To.Equal(o.To) || !strings.Contains(f.Evidence, breakage.want) {
				t.Errorf("got %s, want the rest unchecked with %q", f, breakage.want)
			}
			if until := report.Series[0].VerifiedUntil(report.Findings); !until.Equal(o.From.Add(500 * time.Minute)) {
				t.Errorf("verified until %s, want what was read before, until 08:20", until)
			}
			exec1(t, conn, breakage.undo)
			report, err = audit.CheckSeries(t.Context(), table, list, o)
			if err != nil || len(report.Findings) > 0 || report.Rows != 9000 {
				t.Errorf("after it: %d rows, findings %v, %v", report.Rows, report.Findings, err)
			}
		})
	}
}

// breaking does something after some digests.
type breaking struct {
	*Table
	at, n int
	do    func()
}

func (b *breaking) Digest(ctx context.Context, s audit.Series, q audit.Stretch) (audit.Digest, error) {
	if b.n++; b.n == b.at+1 {
		b.do()
	}
	return b.Table.Digest(ctx, s, q)
}

func TestSessionsCannotWrite(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, "CREATE TABLE x (y int)")
	db := open(t, dsn)
	err := db.with(context.Background(), func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "INSERT INTO x VALUES (1)")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v, want a refusal to write", err)
	}
}
