package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
)

// postgres is a PostgreSQL of the platform's own, with nothing in it that was there
// before.
type postgres struct {
	dir, bin   string
	host, port string
	credential *syscall.Credential // Nil if we are not root, which PostgreSQL refuses to be.

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

// startPostgres makes a new database below dir.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	d := &postgres{dir: filepath.Join(dir, "postgres"), bin: bin}
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
	if err := errors.Join(d.start(ctx), d.create(ctx)); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// create makes the database in which the platform's tables will be.
func (d *postgres) create(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, d.dsn("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE platform")
	return errors.Join(err, conn.Close(ctx))
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

func (d *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), args...)
	cmd.Dir = d.dir
	// It has a group of its own, so that Ctrl-C reaches it by us only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: d.credential, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// start returns when the database answers.
func (d *postgres) start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process != nil {
		return nil
	}
	cmd := d.command(context.Background(), "postgres", "-D", d.dir+"/data", "-h", d.host, "-p", d.port, "-k", d.dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB", "-c", "max_connections=40")
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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
func (d *postgres) cut(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(syscall.SIGQUIT)
	return nil
}

func (d *postgres) end(s syscall.Signal) {
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
func (d *postgres) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(syscall.SIGINT)
}

func (d *postgres) dsn(name string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", net.JoinHostPort(d.host, d.port), name)
}

// log is how the last run ended.
func (d *postgres) log() []byte {
	const last = 3
	lines := bytes.Split(tail(d.logFile()), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-last):], []byte("\n"))
}

func (d *postgres) logFile() string { return filepath.Join(filepath.Dir(d.dir), "database.log") }

func (d *postgres) address() string { return d.dsn("platform") }

func (d *postgres) needsRowServer() bool { return false }

func (d *postgres) texts() texts {
	return texts{
		cut: "PostgreSQL is ended at once, with all connections to it.",
		dropRows: `
			CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
			CREATE TRIGGER swallow BEFORE INSERT ON klines FOR EACH ROW WHEN (NEW.symbol = 'ETHUSDT') EXECUTE FUNCTION swallow()`,
		keepRows: `DROP TRIGGER IF EXISTS swallow ON klines; DROP FUNCTION IF EXISTS swallow()`,
		alterRow: `
			CREATE TABLE altered AS SELECT id, qty FROM ts_user_trades
				ORDER BY time DESC LIMIT 1;
			UPDATE ts_user_trades t SET qty = 0 FROM altered a WHERE t.id = a.id`,
		restoreRow: `UPDATE ts_user_trades t SET qty = a.qty FROM altered a WHERE t.id = a.id; DROP TABLE altered`,
	}
}
