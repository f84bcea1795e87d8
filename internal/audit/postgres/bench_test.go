package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// BenchmarkKlines checks 300,000 bars of all columns: once judged by the server,
// and once read row by row. Its figure of interest is rows/s; the server shares
// the machine.
func BenchmarkKlines(b *testing.B) {
	dsn, conn := database(b)
	exec1(b, conn, `CREATE TABLE klines AS SELECT s AS symbol, '1m'::text AS interval, 1793491200000 + i * 60000::bigint AS open_time,
		60000.12345678 AS open, 60010.5 AS high, 59990.25 AS low, 60001.1 AS close, 12.34567 AS volume, 740000.1234 AS quote_volume,
		500::bigint AS trades, 6.1 AS taker_base, 360000.5 AS taker_quote FROM unnest(ARRAY['A','B']) s, generate_series(0, 149999) i;
		CREATE INDEX ON klines (symbol, interval, open_time)`)
	exec1(b, conn, "VACUUM ANALYZE klines")
	m := Mapping{Preset: "klines", Columns: map[string]string{
		"quote_volume": "quote_volume", "trades": "trades", "taker_base": "taker_base", "taker_quote": "taker_quote",
	}}
	table, err := open(b, dsn).Table(context.Background(), m, origin)
	if err != nil {
		b.Fatal(err)
	}
	for name, source := range map[string]audit.Rows{"digest": table, "rows": rowWise{table}} {
		b.Run(name, func(b *testing.B) {
			var rows int64
			start := time.Now()
			for b.Loop() {
				r, err := audit.Once(context.Background(), source, audit.Options{})
				if err != nil || len(r.Findings) > 0 {
					b.Fatal(err, r.Findings)
				}
				rows += r.Rows
			}
			b.ReportMetric(float64(rows)/time.Since(start).Seconds(), "rows/s")
		})
	}
}

// BenchmarkLook is what the auditor reads each minute of 500 symbols: the bars
// that have become due. Its time is what a gap waits for after it was due.
func BenchmarkLook(b *testing.B) {
	dsn, conn := database(b)
	exec1(b, conn, `CREATE TABLE klines AS SELECT 'S' || s || 'USDT' AS symbol, '1m'::text AS interval, 1793491200000 + i * 60000::bigint AS open_time,
		60000.12345678 AS open, 60010.5 AS high, 59990.25 AS low, 60001.1 AS close, 12.34567 AS volume FROM generate_series(0, 1439) i, generate_series(1, 500) s;
		CREATE INDEX ON klines (symbol, interval, open_time)`)
	exec1(b, conn, "VACUUM ANALYZE klines")
	c := DefaultConfig()
	c.DSN = audit.Secret(dsn)
	db, err := Open(c)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	table, err := db.Table(context.Background(), Mapping{Preset: "klines"}, origin)
	if err != nil {
		b.Fatal(err)
	}
	list, err := table.Series(context.Background())
	if err != nil || len(list) != 500 {
		b.Fatal(len(list), err)
	}
	last := time.UnixMilli(1793491200000 + 1439*60000).UTC()
	for b.Loop() {
		rows := 0
		for _, s := range list {
			if err := table.Klines(context.Background(), s, last, last.Add(time.Minute), func(*audit.Kline, bool) { rows++ }); err != nil {
				b.Fatal(err)
			}
		}
		if rows != 500 {
			b.Fatal(rows)
		}
	}
}
