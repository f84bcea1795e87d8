// Package postgres reads what a platform keeps in PostgreSQL or TimescaleDB, for
// an audit. It never writes: sessions are read-only, statements have a deadline,
// a query that would read a large table without an index is refused, and between
// pages it rests, so that the database has most of its time for the platform.
//
// Start with [Open] and [DB.Table].
package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Config says how to reach a database, and how much of it we may use.
type Config struct {
	// DSN is a URL or a list of key=value; a password is better in DSNFile, in
	// PGPASSWORD or in a file of passwords.
	DSN     audit.Secret `yaml:"dsn,omitempty"`
	DSNFile string       `yaml:"dsn_file,omitempty"`
	// Share of the time of one backend that reading may take, per connection.
	Share float64 `yaml:"share"`
	// StatementTimeout ends a query that takes longer.
	StatementTimeout time.Duration `yaml:"statement_timeout"`
	// Connections is how many queries may run at the same time.
	Connections int `yaml:"connections"`
}

// DefaultConfig leaves a platform's database alone for half of the time.
func DefaultConfig() Config {
	return Config{Share: 0.5, StatementTimeout: 30 * time.Second, Connections: 1}
}

// UnmarshalYAML puts a file's values over the defaults.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Config
	p := plain(DefaultConfig())
	if err := unmarshal(&p); err != nil {
		return err
	}
	*c = Config(p)
	return nil
}

// Validate reports all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if (c.DSN == "") == (c.DSNFile == "") {
		errs = append(errs, errors.New("postgres: give either dsn or dsn_file"))
	}
	if !(c.Share > 0 && c.Share <= 1) {
		errs = append(errs, fmt.Errorf("postgres.share: %v is no share; use a number above 0 and up to 1", c.Share))
	}
	if c.StatementTimeout < 100*time.Millisecond || c.StatementTimeout > time.Hour {
		errs = append(errs, fmt.Errorf("postgres.statement_timeout: %s: use 100ms to 1h", c.StatementTimeout))
	}
	if c.Connections < 1 || c.Connections > 16 {
		errs = append(errs, fmt.Errorf("postgres.connections: %d: use 1 to 16", c.Connections))
	}
	return errors.Join(errs...)
}

const connectTimeout = 10 * time.Second

// DB is a database. Its methods may be called at the same time.
type DB struct {
	config  *pgx.ConnConfig
	share   float64
	timeout time.Duration
	// slots has one place for each connection.
	slots chan slot
	// cuts counts connections that broke. Those that are older than the last cut
	// are made anew: what cuts one connection cuts all.
	cuts atomic.Int64
	// version is that of the server, as 150004 for 15.4; 0 if it does not say.
	version atomic.Int64
	name    string
}

type slot struct {
	conn *pgx.Conn // nil if it is not open
	cuts int64     // when it was made
}

// Open reads the configuration and connects to nothing yet.
func Open(c Config) (*DB, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	dsn := string(c.DSN)
	if c.DSNFile != "" {
		text, err := os.ReadFile(c.DSNFile)
		if err != nil {
			return nil, fmt.Errorf("postgres.dsn_file: %w", err)
		}
		dsn = strings.TrimSpace(string(text))
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The error of pgx quotes the DSN, less the password that it could find.
		return nil, errors.New("postgres.dsn: not a URL like postgres://user@host:5432/database, nor a list of key=value")
	}
	config.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"application_name":                    "hedgewatch audit",
		"default_transaction_read_only":       "on",
		"statement_timeout":                   strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10),
		"lock_timeout":                        "2000",
		"idle_in_transaction_session_timeout": "10000",
		"max_parallel_workers_per_gather":     "0", // A connection is one backend, for Share to mean something.
		"TimeZone":                            "UTC",
	} {
		config.RuntimeParams[name] = value
	}
	db := &DB{
		config: config, share: c.Share, timeout: c.StatementTimeout,
		slots: make(chan slot, c.Connections), name: config.Host + "/" + config.Database,
	}
	for range c.Connections {
		db.slots <- slot{}
	}
	return db, nil
}

// Close closes the connections. It waits for queries that run.
func (db *DB) Close() {
	for range cap(db.slots) {
		hangUp((<-db.slots).conn)
	}
}

func hangUp(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // It is given up either way.
}

// with calls do with a connection, which is made if need be, and then rests as
// long as the configured share asks for.
func (db *DB) with(ctx context.Context, do func(ctx context.Context, conn *pgx.Conn) error) error {
	var s slot
	select {
	case s = <-db.slots:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { db.slots <- s }()
	// The server ends a statement itself; this is for one that hangs.
	limited, cancel := context.WithTimeout(ctx, db.timeout+connectTimeout)
	defer cancel()
	if cuts := db.cuts.Load(); s.conn == nil || s.conn.IsClosed() || s.cuts != cuts {
		hangUp(s.conn)
		var err error
		if s.conn, err = pgx.ConnectConfig(limited, db.config); err != nil {
			s.conn = nil
			return db.explain(err)
		}
		s.cuts = cuts
		db.version.Store(versionOf(s.conn.PgConn().ParameterStatus("server_version")))
	}
	start := time.Now()
	err := do(limited, s.conn)
	if s.conn.IsClosed() {
		db.cuts.Add(1)
	}
	busy := time.Since(start)
	rest(ctx, time.Duration(float64(busy)*(1-db.share)/db.share))
	return db.explain(err)
}

// versionOf reads `15.4 (Debian 15.4-1)`; before version 10 it is not needed.
func versionOf(text string) int64 {
	var major, minor int64
	if n, _ := fmt.Sscanf(text, "%d.%d", &major, &minor); n == 0 {
		return 0
	}
	return major*10_000 + minor
}

func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// errSlow is a statement that took too long, or that somebody has ended.
var errSlow = errors.New("is there an index for it?")

// explain adds what to do about an error of the server. It drops what pgx says
// about the connection, which has the user and may have more.
func (db *DB) explain(err error) error {
	if err == nil {
		return nil
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		var connect *pgconn.ConnectError
		if errors.As(err, &connect) {
			return fmt.Errorf("connect to %s: %w; is it up, and does it let this host in?", db.name, connect.Unwrap())
		}
		return fmt.Errorf("%s: %w", db.name, err)
	}
	hint := ""
	switch server.Code {
	case "42501": // insufficient_privilege
		hint = "; grant SELECT to the user of the audit"
	case "42P01": // undefined_table
		hint = "; see `hedgewatch audit --discover`"
	case "57014": // query_canceled
		return fmt.Errorf("%s: %s (%s); it may take %s, %w", db.name, server.Message, server.Code, db.timeout, errSlow)
	case "57P03": // cannot_connect_now
		hint = "; it is starting, or replays what it lost in a crash; it is asked again"
	case "40001": // On a standby: its replay would wait for the query.
		hint = "; a standby ends queries that hold up its replay, see max_standby_streaming_delay; it is asked again"
	case "28P01", "28000": // authentication
		hint = "; check user and password"
	}
	return fmt.Errorf("%s: %s (%s)%s", db.name, server.Message, server.Code, hint)
}
