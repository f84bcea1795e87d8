package postgres

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// partitionedSQL has the same bars in a plain table, in one with partitions, and
// in one whose chunks inherit from it in a schema of their own, as TimescaleDB's.
const partitionedSQL = `
CREATE TABLE parts (symbol text NOT NULL, interval text NOT NULL, open_time timestamptz NOT NULL, open numeric, high numeric, low numeric, close numeric, volume numeric,
	number_of_trades int, taker_buy_base_asset_volume numeric, inserted_at timestamptz, PRIMARY KEY (symbol, interval, open_time)) PARTITION BY RANGE (open_time);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-11-01 00:00Z') TO ('2026-11-02 00:00Z');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-11-02 00:00Z') TO ('2026-11-03 00:00Z');
INSERT INTO parts SELECT s, '1m', timestamptz '2026-11-01 00:00Z' + i * interval '1 minute', 10.5, 12.25, 9, 11, 2, 7, 1
	FROM unnest(ARRAY['BTCUSDT','ETHUSDT']) s, generate_series(0, 2879) i;
DELETE FROM parts WHERE symbol = 'ETHUSDT' AND open_time >= '2026-11-01 23:58Z' AND open_time < '2026-11-02 00:03Z';
CREATE TABLE klines (LIKE parts INCLUDING ALL); INSERT INTO klines SELECT * FROM parts;
CREATE SCHEMA _timescaledb_internal;
CREATE TABLE hyper (LIKE parts INCLUDING ALL);
CREATE TABLE _timescaledb_internal._hyper_1_1_chunk (LIKE parts INCLUDING ALL, CHECK (open_time < '2026-11-02 00:00Z')) INHERITS (hyper);
CREATE TABLE _timescaledb_internal._hyper_1_2_chunk (LIKE parts INCLUDING ALL, CHECK (open_time >= '2026-11-02 00:00Z')) INHERITS (hyper);
INSERT INTO _timescaledb_internal._hyper_1_1_chunk SELECT * FROM parts_1;
INSERT INTO _timescaledb_internal._hyper_1_2_chunk SELECT * FROM parts_2;
CREATE TABLE old_style () INHERITS (hyper);
ANALYZE`

func TestDiscoverAndReadPartitions(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, partitionedSQL)
	proposals, err := open(t, dsn).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range proposals {
		lines = append(lines, fmt.Sprintf("%s: %s of %d rows, preset %q, trades in %q, taker in %q, stored in %q", p.Mapping.Table, p.Mapping.Dataset, p.Rows, p.Mapping.Preset,
			p.Mapping.Columns["trades"], p.Mapping.Columns["taker_base"], p.Mapping.Columns[fieldCreated]))
		report, got := findings(t, dsn, p.Mapping, audit.Options{})
		if diff := cmp.Diff([]string{"ETHUSDT 01T23:58-02T00:03 5 missing platform"}, got); diff != "" || report.Rows != 5755 {
			t.Errorf("%s: %d rows, findings differ (-want +got):\n%s", p.Mapping.Table, report.Rows, diff)
		}
	}
	const columns = `trades in "number_of_trades", taker in "taker_buy_base_asset_volume", stored in "inserted_at"`
	want := []string{
		`hyper: klines of 5755 rows, preset "", ` + columns,
		`klines: klines of 5755 rows, preset "klines", ` + columns,
		`parts: klines of 5755 rows, preset "", ` + columns,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("proposals differ (-want +got):\n%s", diff)
	}
}
