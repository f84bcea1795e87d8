package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// server is the address of the PostgreSQL that all tests share; empty if none is
// installed.
var server string

func TestMain(m *testing.M) {
	stop, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// startServer runs a private PostgreSQL, of Debian's package.
func startServer() (stop func(), err error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // The pattern is sound.
	if len(bins) == 0 {
		return func() {}, nil
	}
	// Not below a directory that only root may enter: PostgreSQL refuses to be root.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	attr, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bins[len(bins)-1], name), args...)
		cmd.SysProcAttr, cmd.Dir = attr, dir
		return cmd
	}
	if out, err := command("initdb", "-D", dir+"/data", "-U", "postgres", "-A", "trust", "-N", "--locale=C", "--encoding=UTF8").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(l.Addr().String()) // An address of the listener.
	l.Close()
	cmd := command("postgres", "-D", dir+"/data", "-h", host, "-p", port, "-k", dir, "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_wal_size=2GB", "-c", "autovacuum=off")
	log, err := os.Create(dir + "/log")
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	server = net.JoinHostPort(host, port)
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // Fast shutdown.
		_ = cmd.Wait()
		_ = log.Close()
		_ = os.RemoveAll(dir)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if command("pg_isready", "-q", "-h", host, "-p", port).Run() == nil {
			return stop, nil
		}
		if time.Now().After(end) {
			stop()
			return nil, fmt.Errorf("PostgreSQL did not start; see %s", dir)
		}
	}
}

// unprivileged starts a program as nobody where we are root, and gives dir to it.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr, nil
	}
	const nobody = 65534
	attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	return attr, os.Chown(dir, nobody, nobody)
}

// database makes a database of its own for a test, and returns its DSN and a
// connection that may write.
func database(t testing.TB) (dsn string, conn *pgx.Conn) {
	t.Helper()
	if server == "" {
		const missing = "no PostgreSQL is installed: apt-get install postgresql"
		if os.Getenv("REALPARTS") == "all" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	ctx := context.Background()
	name := "t" + strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, t.Name()))
	url := "postgres://postgres@" + server + "/"
	root, err := pgx.Connect(ctx, url+"postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close(ctx)
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := root.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	dsn = url + name + "?sslmode=disable"
	conn, err = pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	return dsn, conn
}

func exec1(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%v\nin %s", err, sql)
	}
}

func open(t testing.TB, dsn string) *DB {
	t.Helper()
	c := DefaultConfig()
	c.DSN, c.Share, c.Connections = audit.Secret(dsn), 1, 2
	db, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}
