package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	auditSymbols = 100
	// A year of minutes of all symbols is to be verified in a minute.
	auditYear   = auditSymbols * 365 * 24 * 60
	auditWithin = time.Minute
)

// measureAudit verifies bars in a real PostgreSQL, and lets psql count the same
// table, which reads it once and verifies nothing.
func measureAudit(ctx context.Context, b *bench) ([]result, error) {
	dir, err := os.MkdirTemp("", "pg") // PostgreSQL refuses to be root, and nobody may enter the row's.
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	pg, err := startPostgres(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer pg.stop()
	days := either(b, 7, 36)
	rows := auditSymbols * days * 24 * 60
	b.say("  storing %d bars", rows)
	if _, err := pg.query(ctx, fmt.Sprintf(auditTable, days*24*60, auditSymbols)); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%.1f million bars of %d symbols", float64(rows)/1e6, auditSymbols)
	most := math.Round(float64(rows)/auditYear*auditWithin.Seconds()*100) / 100
	took := result{what: "audit of " + what + " in PostgreSQL; peer: psql counts them", unit: seconds(), most: most}
	rate := result{what: "… rows a second", unit: count()}
	work := result{what: "… CPU of the server and the auditor, of two cores", unit: seconds(), most: 2 * most}
	memory := result{what: "… memory of the auditor, greatest", unit: megabytes(), most: 200e6}
	cpu := result{what: "… CPU of the auditor, without the server's", unit: seconds()}
	spent, err := pg.cpu(ctx)
	if err != nil {
		return nil, err
	}
	// worked files what the server has done since the last call.
	worked := func(s *sample, more time.Duration) error {
		before := spent
		if spent, err = pg.cpu(ctx); err == nil {
			*s = append(*s, (spent - before + more).Seconds())
		}
		return err
	}
	for range either(b, 2, 5) {
		u, err := b.auditOnce(ctx, pg.dsn(), rows)
		if err == nil {
			err = worked(&work.ours, u.cpu)
		}
		if err != nil {
			return nil, err
		}
		took.ours = append(took.ours, u.took.Seconds())
		rate.ours = append(rate.ours, float64(rows)/u.took.Seconds())
		memory.ours = append(memory.ours, u.memory)
		cpu.ours = append(cpu.ours, u.cpu.Seconds())
		counted, err := pg.query(ctx, "SELECT symbol, count(*), min(open_time), max(open_time), sum(volume) FROM klines GROUP BY symbol")
		if err == nil {
			err = worked(&work.peer, 0)
		}
		if err != nil {
			return nil, err
		}
		took.peer = append(took.peer, counted.Seconds())
		rate.peer = append(rate.peer, float64(rows)/counted.Seconds())
	}
	return []result{took, rate, work, cpu, memory}, nil
}

// auditTable has rows in the order in which a platform stores them: all symbols
// of a minute, then the next minute.
const auditTable = `CREATE TABLE klines (symbol text, interval text, open_time bigint, open numeric, high numeric, low numeric, close numeric,
	volume numeric, close_time bigint, quote_volume numeric, trades bigint, taker_base numeric, taker_quote numeric);
INSERT INTO klines SELECT 'S' || s || 'USDT', '1m', 1793491200000 + i * 60000::bigint, 60000.12345678, 60010.5, 59990.25 + i %% 10, 60001.1, 12.34567 + s,
	1793491259999 + i * 60000::bigint, 740000.1234, 500, 6.1, 360000.5 FROM generate_series(0, %d - 1) i, generate_series(1, %d) s;
CREATE UNIQUE INDEX ON klines (symbol, interval, open_time);
VACUUM ANALYZE klines;`

type auditUsage struct {
	took, cpu time.Duration
	memory    float64
}

func (b *bench) auditOnce(ctx context.Context, dsn string, rows int) (auditUsage, error) {
	want := fmt.Sprintf("%d rows of %d series checked, 0 findings\n", rows, auditSymbols)
	return b.runAudit(ctx, want, "--source", dsn, "--preset", "klines", "--share", "1", "--column", "close_time=close_time",
		"--column", "quote_volume=quote_volume", "--column", "trades=trades", "--column", "taker_base=taker_base", "--column", "taker_quote=taker_quote")
}

// runAudit runs `hedgewatch audit`, which has to print what is wanted.
func (b *bench) runAudit(ctx context.Context, want string, args ...string) (u auditUsage, err error) {
	cmd := exec.CommandContext(ctx, b.hedgewatch, append([]string{"audit"}, args...)...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	u.took = time.Since(start)
	if err == nil && string(out) != want {
		err = fmt.Errorf("wanted %q", want)
	}
	if err != nil {
		return u, fmt.Errorf("hedgewatch audit: %w:\n%.2000s", err, out)
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = float64(usage.Maxrss) * 1024
	}
	return u, nil
}

// postgresServer is a private PostgreSQL.
type postgresServer struct {
	bin, host, port string
	cmd             *exec.Cmd
}

func startPostgres(ctx context.Context, dir string) (*postgresServer, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // The pattern is sound.
	if len(bins) == 0 {
		return nil, errors.New("no PostgreSQL is installed: apt-get install postgresql")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &postgresServer{bin: bins[len(bins)-1]}
	if p.host, p.port, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	attr, err := notRoot(dir)
	if err != nil {
		return nil, err
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(p.bin, name), args...)
		cmd.SysProcAttr, cmd.Dir = attr, dir
		return cmd
	}
	if out, err := run("initdb", "-D", dir+"/data", "-U", "postgres", "-A", "trust", "-N", "--locale=C", "--encoding=UTF8").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	// As Debian configures it, but for durability, which no row is about.
	p.cmd = run("postgres", "-D", dir+"/data", "-h", p.host, "-p", p.port, "-k", dir, "-c", "fsync=off", "-c", "max_wal_size=4GB", "-c", "autovacuum=off")
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); ; {
		if run("pg_isready", "-q", "-h", p.host, "-p", p.port).Run() == nil {
			return p, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil || time.Now().After(end) {
			p.stop()
			return nil, errors.Join(err, errors.New("PostgreSQL does not answer after 30 s"))
		}
	}
}

func (p *postgresServer) dsn() string {
	return "postgres://postgres@" + net.JoinHostPort(p.host, p.port) + "/postgres?sslmode=disable"
}

// query returns how long psql took.
func (p *postgresServer) query(ctx context.Context, sql string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", p.dsn())
	cmd.Stdin = bytes.NewBufferString(sql + "\n;")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("psql: %w\n%s", err, out)
	}
	return time.Since(start), nil
}

// cpu is what the backends have used that have ended, as soon as it stays the
// same: the server hears of their end a little later than we.
func (p *postgresServer) cpu(ctx context.Context) (time.Duration, error) {
	for last := time.Duration(-1); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			return 0, fmt.Errorf("read what the server uses: %w; the benchmarks need Linux", err)
		}
		now, err := parseEndedCPU(stat)
		if err != nil || now == last {
			return now, err
		}
		last = now
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

func (p *postgresServer) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT) // It has ended already, or ends at once.
	_ = p.cmd.Wait()
}
