package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

const (
	fileName = "state.db"
	// writeTimeout bounds one change, waiting for the writer included.
	writeTimeout = 10 * time.Second
	// readTimeout bounds one question; exports may take longer.
	readTimeout = 30 * time.Second
	// tidyInterval is how often what is too old is deleted.
	tidyInterval = time.Hour
)

// Config says how much is kept. A zero field has the default that its comment
// names.
type Config struct {
	// Dir is the directory of the database.
	Dir string `yaml:"-"`
	// AlertHistory is how long transitions of alerts are kept; a year.
	AlertHistory model.Duration `yaml:"alert_history"`
	// MaxTransitions bounds them, whatever their age; a million.
	MaxTransitions int `yaml:"max_transitions"`
	// MaxChanges bounds the log of changes; 100,000.
	MaxChanges int `yaml:"max_changes"`
}

// DefaultConfig returns the defaults of all fields but Dir.
func DefaultConfig() Config {
	return Config{AlertHistory: model.Duration(365 * 24 * time.Hour), MaxTransitions: 1_000_000, MaxChanges: 100_000}
}

// Validate reports what is wrong with the bounds.
func (c Config) Validate() error {
	var errs []error
	if c.AlertHistory < model.Duration(time.Hour) {
		errs = append(errs, fmt.Errorf("state.alert_history: %v is too short; use at least 1h", c.AlertHistory))
	}
	for key, n := range map[string]int{"max_transitions": c.MaxTransitions, "max_changes": c.MaxChanges} {
		if n < 1000 {
			errs = append(errs, fmt.Errorf("state.%s: %d is too few; use at least 1000", key, n))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() (Config, error) {
	d := DefaultConfig()
	if c.Dir == "" {
		return c, errors.New("state: the directory is missing")
	}
	if c.AlertHistory == 0 {
		c.AlertHistory = d.AlertHistory
	}
	if c.MaxTransitions == 0 {
		c.MaxTransitions = d.MaxTransitions
	}
	if c.MaxChanges == 0 {
		c.MaxChanges = d.MaxChanges
	}
	return c, nil
}

// Deps are what the state needs from outside.
type Deps struct {
	Logger     *slog.Logger          // nil: discarded
	Registerer prometheus.Registerer // nil: not registered
	// Dashboards are the shipped ones, *.json in a flat directory; nil: none.
	Dashboards fs.FS
}

// State is the open database.
type State struct {
	cfg      atomic.Pointer[Config]
	dir      string
	path     string
	logger   *slog.Logger
	metrics  *metrics
	writer   *sql.DB // one connection
	reader   *sql.DB
	accounts *accounts
	shipped  map[string]Dashboard // by UID
	queue    *queue
	setAside string
}

// New opens the database, creating it if need be, and brings its tables up to
// date. A file that is corrupt is renamed, named in the log, and replaced by an
// empty one: what it held is lost to the UI, alerts go on.
func New(c Config, d Deps) (*State, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	dir, err := filepath.Abs(c.Dir) // SQLite takes it as a URL.
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	removeLeftovers(dir, d.Logger)
	path := filepath.Join(dir, fileName)
	setAside, err := openOrSetAside(path, d.Logger)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", path, err)
	}
	s := &State{dir: dir, path: path, logger: d.Logger, setAside: setAside}
	s.Configure(c)
	if err := s.open(d); err != nil {
		return nil, fmt.Errorf("open state %q: %w", path, errors.Join(err, s.Close()))
	}
	return s, nil
}

// Configure changes how much is kept, from the next hour on.
func (s *State) Configure(c Config) { s.cfg.Store(&c) }

func (s *State) open(d Deps) (err error) {
	if s.writer, err = connect(s.path, writerConnection); err != nil {
		return err
	}
	if s.reader, err = connect(s.path, readerConnection); err != nil {
		return err
	}
	if s.accounts, err = loadAccounts(s.reader); err != nil {
		return err
	}
	if s.shipped, err = readShipped(d.Dashboards); err != nil {
		return err
	}
	if err := s.adoptRules(context.Background()); err != nil {
		// What is on disk is evaluated in any case.
		s.logger.Warn("Rule groups made in the UI and their files do not agree", "err", err)
	}
	s.metrics = newMetrics(s)
	s.queue = newQueue(s.writer, s.logger, s.metrics)
	if d.Registerer != nil {
		return s.metrics.register(d.Registerer)
	}
	return nil
}

// SetAside is the name that a corrupt database was given by New, else "". The
// users that it may have held are unknown: whoever decides who gets in must not
// take that for "there are none".
func (s *State) SetAside() string { return s.setAside }

// Run writes what is queued and deletes what is too old, until ctx ends; then
// it writes the rest and closes the database.
func (s *State) Run(ctx context.Context) error {
	tidy := time.NewTicker(tidyInterval)
	defer tidy.Stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.queue.run(ctx)
	}()
	s.tidy(ctx)
	for done := false; !done; {
		select {
		case <-tidy.C:
			s.tidy(ctx)
		case <-ctx.Done():
			done = true
		}
	}
	<-written
	return s.Close()
}

// tidy deletes what is over its bounds.
func (s *State) tidy(ctx context.Context) {
	now := time.Now()
	err := errors.Join(
		s.tidyHistory(ctx, now),
		s.tidyChanges(ctx),
		s.tidySessions(ctx, now),
	)
	if err != nil && ctx.Err() == nil {
		s.logger.Warn("Old state not deleted; it is tried again in an hour", "err", err)
	}
}

// Close closes the database. Run does so by itself.
func (s *State) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} { // The last one to close merges the log.
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// write runs change in one transaction of the only writer. What change returns
// undoes it.
func (s *State) write(ctx context.Context, change func(tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return inTransaction(ctx, s.writer, change)
}

func inTransaction(ctx context.Context, db *sql.DB, change func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// query calls row for each row of the answer.
func (s *State) query(ctx context.Context, row func(scan func(...any) error) error, question string, args ...any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return queryAll(ctx, s.reader, row, question, args...)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func queryAll(ctx context.Context, db querier, row func(scan func(...any) error) error, question string, args ...any) (err error) {
	rows, err := db.QueryContext(ctx, question, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// millis is how instants are stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
