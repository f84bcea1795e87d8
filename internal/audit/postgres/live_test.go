package postgres

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// The auditor and a real table, in real time: a hole is found at once, and closes
// when its row is there.
func TestAuditorOverARealTable(t *testing.T) {
	dsn, conn := database(t)
	exec1(t, conn, `CREATE TABLE klines AS SELECT 'BTCUSDT'::text AS symbol, '1s'::text AS interval, date_trunc('second', now()) + i * interval '1 second' AS open_time,
		10.5 AS open, 12 AS high, 9 AS low, 11 AS close, 1.5 AS volume FROM generate_series(-600, 120) i;
		CREATE INDEX ON klines (symbol, interval, open_time); CREATE TABLE gone AS SELECT * FROM klines ORDER BY open_time OFFSET 580 LIMIT 2;
		DELETE FROM klines WHERE open_time IN (SELECT open_time FROM gone)`)
	db := open(t, dsn)
	d := audit.DefaultDataset()
	d.Source, d.Name, d.Compare, d.Grace = "platform", "platform/klines", false, model.Duration(5*time.Second)
	a, err := audit.New(audit.Config{Datasets: []audit.Dataset{d}}, audit.Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: t.TempDir(), Transport: http.DefaultTransport,
		Open: func(ctx context.Context, _ int) (audit.Rows, error) {
			return db.Table(ctx, Mapping{Preset: "klines"}, origin)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	wait := func(what string, ok func([]audit.Record) bool) {
		t.Helper()
		for end := time.Now().Add(15 * time.Second); !ok(a.Findings()); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: got %v, status %+v", what, a.Findings(), a.Status())
			}
		}
	}
	wait("no hole is found", func(f []audit.Record) bool {
		return len(f) == 1 && f[0].Kind == audit.Missing && f[0].Cause == audit.Platform && f[0].Count == 2 && f[0].Plan != nil
	})
	exec1(t, conn, "INSERT INTO klines SELECT * FROM gone")
	wait("the finding stays open", func(f []audit.Record) bool { return len(f) == 1 && !f[0].ClosedAt.IsZero() })
}
