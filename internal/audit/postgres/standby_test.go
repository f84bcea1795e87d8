package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// standby copies the test's server and streams from it. It returns the address.
func standby(t *testing.T) string {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // The pattern is sound.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr, err := unprivileged(dir)
	if err != nil {
		t.Fatal(err)
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bins[len(bins)-1], name), args...)
		cmd.SysProcAttr, cmd.Dir = attr, dir
		return cmd
	}
	host, port, _ := net.SplitHostPort(server) // It was joined.
	if out, err := command("pg_basebackup", "-h", host, "-p", port, "-U", "postgres", "-D", dir+"/data", "-R", "-c", "fast", "-X", "stream").CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ = net.SplitHostPort(l.Addr().String()) // An address of the listener.
	l.Close()
	cmd := command("postgres", "-D", dir+"/data", "-h", host, "-p", port, "-k", dir, "-c", "fsync=off")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // Fast shutdown.
		_ = cmd.Wait()
	})
	eventually(t, "the standby answers", func() error {
		return command("pg_isready", "-q", "-h", host, "-p", port).Run()
	})
	return net.JoinHostPort(host, port)
}

// eventually waits for what a busy machine does late.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute: %v", what, err)
		}
	}
}

// What a standby has not replayed yet is not missing: it is verified later.
func TestStandbyThatLagsIsNotMissingRows(t *testing.T) {
	dsn, primary := database(t)
	exec1(t, primary, `CREATE TABLE klines AS SELECT s AS symbol, '1s'::text AS interval, date_trunc('second', now()) + i * interval '1 second' AS open_time,
		10.5 AS open, 12 AS high, 9 AS low, 11 AS close, 1.5 AS volume FROM generate_series(-600, -1) i, unnest(ARRAY['BTCUSDT','ETHUSDT']) s;
		CREATE INDEX ON klines (symbol, interval, open_time)`)
	dsn = strings.Replace(dsn, server, standby(t), 1)
	var copied *pgx.Conn
	eventually(t, "the standby has the rows", func() (err error) {
		if copied == nil {
			if copied, err = pgx.Connect(t.Context(), dsn); err != nil {
				return err
			}
		}
		_, err = copied.Exec(t.Context(), "SELECT FROM klines")
		return err
	})
	defer func() { copied.Close(context.Background()) }()
	db := open(t, dsn)
	table, err := db.Table(t.Context(), Mapping{Preset: "klines"}, origin)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has caught up", func() error {
		d, err := table.Behind(t.Context())
		if err == nil && d > 5*time.Second {
			err = fmt.Errorf("%s behind", d)
		}
		return err
	})

	// Something to replay, since all else may have been in the copy; with it the
	// platform has stored all bars of its time, however long the copy has taken.
	exec1(t, primary, `CREATE TABLE replayed (x int); INSERT INTO klines SELECT s, '1s', i, 10.5, 12, 9, 11, 1.5 FROM unnest(ARRAY['BTCUSDT','ETHUSDT']) s,
		generate_series((SELECT max(open_time) FROM klines) + interval '1 second', now() + interval '10 seconds', interval '1 second') i`)
	eventually(t, "it replays", func() error {
		_, err := copied.Exec(t.Context(), "SELECT FROM replayed")
		return err
	})
	exec1(t, copied, "SELECT pg_wal_replay_pause()")
	eventually(t, "replay stops", func() error {
		var state string
		err := copied.QueryRow(t.Context(), "SELECT pg_get_wal_replay_pause_state()").Scan(&state)
		if err == nil && state != "paused" {
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
	// From here on the platform stores rows, and the standby shows none of them.
	exec1(t, primary, `INSERT INTO klines SELECT s, '1s', t + i * interval '1 second', 10.5, 12, 9, 11, 1.5
		FROM (SELECT max(open_time) AS t FROM klines) m, generate_series(1, 300) i, unnest(ARRAY['BTCUSDT','ETHUSDT']) s`)
	eventually(t, "it falls behind", func() error {
		d, err := table.Behind(t.Context())
		if err == nil && d < 2*time.Second {
			err = fmt.Errorf("%s behind", d)
		}
		return err
	})

	// Once: the end of the time is unchecked, not missing.
	var to time.Time
	if err := copied.QueryRow(t.Context(), "SELECT max(open_time) + interval '1 minute' FROM klines").Scan(&to); err != nil {
		t.Fatal(err)
	}
	report, err := audit.Once(t.Context(), table, audit.Options{To: to})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Kind != audit.Unchecked || !strings.Contains(f.Evidence, "standby") {
			t.Errorf("got %s, want it unchecked because the standby is behind", f)
		}
	}
	if len(report.Findings) != 2 {
		t.Errorf("got %d findings, want one for each series", len(report.Findings))
	}

	// Continuously: nothing is found as long as it lags.
	d := audit.DefaultDataset()
	d.Source, d.Name, d.Compare, d.Grace = "platform", "platform/klines", false, model.Duration(5*time.Second)
	a, err := audit.New(audit.Config{Datasets: []audit.Dataset{d}}, audit.Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: t.TempDir(), Transport: http.DefaultTransport,
		Open: func(context.Context, int) (audit.Rows, error) { return table, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	verified := func() (until time.Time) {
		for _, d := range a.Status().Datasets {
			for _, s := range d.Series {
				until = s.Until
			}
		}
		return until
	}
	eventually(t, "something is verified", func() error {
		if verified().IsZero() {
			return fmt.Errorf("status %+v", a.Status())
		}
		return nil
	})
	if f := a.Findings(); len(f) > 0 {
		t.Errorf("a standby that lags: got %v, want no finding", f)
	}
	before := verified()
	exec1(t, copied, "SELECT pg_wal_replay_resume()")
	eventually(t, "what was replayed is verified", func() error {
		if until := verified(); !until.After(before) {
			return fmt.Errorf("verified until %s", until)
		}
		return nil
	})
}
