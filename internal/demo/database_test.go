package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
)

// Both databases do what the services and the faults ask of them.
func TestDatabases(t *testing.T) {
	for _, kind := range []string{SQLite, PostgreSQL} {
		t.Run(kind, func(t *testing.T) {
			if _, err := findPostgres(); err != nil && kind == PostgreSQL {
				if os.Getenv("REALPARTS") == "all" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			testDatabase(t, kind)
		})
	}
}

func testDatabase(t *testing.T, kind string) {
	ctx, dir := t.Context(), t.TempDir()
	for parent := dir; parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o711); err != nil { // PostgreSQL's user has to get there.
			t.Fatal(err)
		}
	}
	accounts := []platform.Account{{ID: "00000000-0000-4000-8000-000000000001", Name: "alpha"}}
	d, err := startDatabase(ctx, kind, dir, accounts)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	store, err := platform.OpenStore(ctx, d.address())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	execute := func(statements string) (changed int64) {
		t.Helper()
		changed, err := store.Execute(ctx, statements)
		if err != nil {
			t.Fatalf("%s: %v", statements, err)
		}
		return changed
	}
	const (
		fill = `INSERT INTO ts_user_trades (buyer, commission, commission_asset, trade_id, maker, order_id, price, qty, quote_qty, realized_pnl,
			side, position_side, symbol, time, time_unix, account_id) VALUES (true, '0', 'USDT', 1, false, 1, '100', '2', '200', '0',
			'BUY', 'BOTH', 'BTCUSDT', '2026-11-30 12:00:00', 1, '00000000-0000-4000-8000-000000000001')`
		bar = `INSERT INTO klines (symbol, interval, open_time, open, high, low, close, volume) VALUES ('%s', '1s', '2026-11-30 12:00:00', '1', '1', '1', '1', '1')`
	)
	bars := func() int64 { return execute("DELETE FROM klines") }

	execute(d.texts().dropRows)
	execute(fmt.Sprintf(bar, "ETHUSDT"))
	execute(fmt.Sprintf(bar, "BTCUSDT"))
	if got := bars(); got != 1 {
		t.Errorf("with drop-rows %d rows are stored, want 1", got)
	}
	execute(d.texts().keepRows)
	execute(d.texts().keepRows) // Somebody repairs it again.
	execute(fmt.Sprintf(bar, "ETHUSDT"))
	if got := bars(); got != 1 {
		t.Errorf("without drop-rows %d rows are stored, want 1", got)
	}

	if got := execute(d.texts().alterRow); got != 0 {
		t.Errorf("alter-row has altered %d rows of none", got)
	}
	execute(d.texts().restoreRow)
	execute(fill)
	if got := execute(d.texts().alterRow); got != 1 {
		t.Errorf("alter-row has altered %d rows, want 1", got)
	}
	if got := execute("UPDATE ts_user_trades SET side = 'BUY' WHERE qty = '0'"); got != 1 {
		t.Errorf("%d rows have the quantity 0, want 1", got)
	}
	execute(d.texts().restoreRow)
	if got := execute("UPDATE ts_user_trades SET side = 'BUY' WHERE qty = '2'"); got != 1 {
		t.Errorf("after the repair %d rows have their quantity, want 1", got)
	}

	if err := d.cut(ctx); err != nil {
		t.Fatal(err)
	}
	if err := store.Check(ctx); err == nil {
		t.Error("a database that was cut can be written to")
	}
	if err := d.start(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := store.Check(ctx); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}
