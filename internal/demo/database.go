package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
)

// database is the platform's own PostgreSQL, with nothing in it that was there
// before.
type database struct {
	dir, bin   string
	host, port string
	credential *syscall.Credential // Nil if we are not root, which PostgreSQL refuses to be.
	logger     *slog.Logger

	mu      sync.Mutex
	process *exec.Cmd // Nil while it is cut.
	waited  chan struct{}
}

// findPostgres returns the directory of PostgreSQL's programs: those of Debian's
// package, the newest, or what is in PATH.
func findPostgres() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // The pattern is sound.
	slices.Sort(dirs)
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append([]string{filepath.Dir(path)}, dirs...)
		}
	}
	for _, dir := range slices.Backward(dirs) {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: no initdb in PATH and none in /usr/lib/postgresql; on Debian: apt-get install postgresql")
}

// startDatabase makes a new database below dir.
func startDatabase(ctx context.Context, dir string, logger *slog.Logger) (*database, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	d := &database{dir: filepath.Join(dir, "postgres"), bin: bin, logger: logger}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if d.credential, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(d.dir, int(d.credential.Uid), int(d.credential.Gid)); err != nil {
			return nil, err
		}
	}
	address, err := settle("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if d.host, d.port, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	initdb := d.command(ctx, "initdb", "-D", d.dir+"/data", "-U", "postgres", "-A", "trust", "-N", "--locale=C", "--encoding=UTF8")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a database: initdb: %w\n%s", err, out)
	}
	return d, d.start(ctx)
}

// unprivileged is a user that may do nothing else.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody; run the demo as another user")
}

func (d *database) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), args...)
	cmd.Dir = d.dir
	// It has a group of its own, so that Ctrl-C reaches it by us only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: d.credential, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// start returns when the database answers.
func (d *database) start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process != nil {
		return nil
	}
	cmd := d.command(context.Background(), "postgres", "-D", d.dir+"/data", "-h", d.host, "-p", d.port, "-k", d.dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB", "-c", "max_connections=40")
	log, err := os.OpenFile(filepath.Join(filepath.Dir(d.dir), "database.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	waited := make(chan struct{})
	d.process, d.waited = cmd, waited
	go func() {
		_ = cmd.Wait() // How it ended is in its log.
		close(waited)
	}()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, d.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-waited:
			return fmt.Errorf("PostgreSQL has ended by itself; see %s", log.Name())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cut ends the database at once and cuts all its connections.
func (d *database) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(syscall.SIGQUIT)
}

func (d *database) end(s syscall.Signal) {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Signal(s) // It fails only when the process has ended already.
	select {
	case <-d.waited:
	case <-time.After(10 * time.Second):
		_ = d.process.Process.Kill()
		<-d.waited
	}
	d.process = nil
}

// close ends the database.
func (d *database) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(syscall.SIGINT)
}

func (d *database) dsn(name string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", net.JoinHostPort(d.host, d.port), name)
}

// platformDSN is the address of the platform's database.
func (d *database) platformDSN() string { return d.dsn("platform") }

// fill makes the platform's tables and accounts.
func (d *database) fill(ctx context.Context, accounts []platform.Account) error {
	root, err := pgx.Connect(ctx, d.dsn("postgres"))
	if err != nil {
		return err
	}
	_, err = root.Exec(ctx, "CREATE DATABASE platform")
	if err := errors.Join(err, root.Close(ctx)); err != nil {
		return err
	}
	return d.do(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, platform.Schema); err != nil {
			return err
		}
		for _, a := range accounts {
			if _, err := conn.Exec(ctx, "INSERT INTO accounts (id, name) VALUES ($1::text::uuid, $2)", a.ID, a.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

// do works on a connection of its own.
func (d *database) do(ctx context.Context, work func(*pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.platformDSN())
	if err != nil {
		return fmt.Errorf("the platform's database: %w", err)
	}
	return errors.Join(work(conn), conn.Close(ctx))
}

// awaitBars returns when the crawler has caught up.
func (d *database) awaitBars(ctx context.Context) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.platformDSN())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		var caughtUp int
		err := conn.QueryRow(ctx, `SELECT count(DISTINCT symbol) FROM klines WHERE open_time > now() - interval '5 seconds'`).Scan(&caughtUp)
		switch {
		case err != nil:
			return fmt.Errorf("the kline crawler has stored nothing in %s: %w", patience, err)
		case caughtUp == platform.Symbols:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the kline crawler has not caught up: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
