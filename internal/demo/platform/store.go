package platform

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // The driver "pgx".
	_ "modernc.org/sqlite"             // The driver "sqlite".
)

var (
	//go:embed schema.sql
	schema string
	//go:embed schema_sqlite.sql
	schemaSQLite string
)

// errDatabase is in errors of the platform's own database.
var errDatabase = errors.New("database")

// queryTimeout bounds a statement, and lockTimeout how long one waits for SQLite's
// lock.
const (
	queryTimeout = 5 * time.Second
	lockTimeout  = 2 * time.Second
)

// Store is the platform's database: PostgreSQL, or SQLite in a file. The tables are
// the same, and so are all statements: both number their parameters $1, leave out
// what is there already by ON CONFLICT, and tell by RETURNING what is new.
type Store struct {
	db     *sql.DB
	schema string
}

// OpenStore opens the database at an address: postgres://user@host/name, or
// sqlite:///path.
func OpenStore(ctx context.Context, address string) (*Store, error) {
	driver, dsn, schema := "pgx", address, schema
	if path, ok := strings.CutPrefix(address, "sqlite://"); ok {
		q := url.Values{
			"_pragma": {fmt.Sprintf("busy_timeout(%d)", lockTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(OFF)"},
			// Times are milliseconds in the file, as they are in Go and on the wire.
			"_time_integer_format": {"unix_milli"}, "_inttotime": {"1"},
			"_txlock": {"immediate"},
		}
		driver, dsn, schema = "sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String(), schemaSQLite
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: database: %w", ErrConfig, err)
	}
	db.SetMaxOpenConns(4)
	s := &Store{db: db, schema: schema}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: reach it: %w", errDatabase, err), db.Close())
	}
	return s, nil
}

// Close ends the connections.
func (s *Store) Close() error { return s.db.Close() }

// Check says whether the database can be written to.
func (s *Store) Check(ctx context.Context) error {
	return s.transact(ctx, "write to it", func(context.Context, *sql.Tx) error { return nil })
}

// Execute runs statements, all or none of them, and returns how many rows the last
// one has changed.
func (s *Store) Execute(ctx context.Context, statements string) (changed int64, err error) {
	err = s.transact(ctx, "execute", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statements)
		if err == nil {
			changed, err = result.RowsAffected()
		}
		return err
	})
	return changed, err
}

// Create makes the tables, and the accounts in them.
func (s *Store) Create(ctx context.Context, accounts []Account) error {
	if _, err := s.Execute(ctx, s.schema); err != nil {
		return err
	}
	var rows [][]any
	for _, a := range accounts {
		rows = append(rows, []any{a.ID, a.Name})
	}
	_, err := s.insert(ctx, "accounts (id, name)", "name", rows)
	return err
}

const newestBar = `SELECT open_time FROM klines WHERE symbol = $1 AND interval = '1s' ORDER BY open_time DESC LIMIT 1`

// UpToDate says whether the bars of all symbols are stored until a few seconds ago.
func (s *Store) UpToDate(ctx context.Context) (bool, error) {
	for _, symbol := range symbols() {
		last, err := s.newest(ctx, newestBar, symbol)
		if err != nil || time.Since(last) > 5*time.Second {
			return false, err
		}
	}
	return true, nil
}

// newest is the time that a query finds, zero if it finds none.
func (s *Store) newest(ctx context.Context, query string, args ...any) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	err = s.db.QueryRowContext(ctx, query, args...).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return at, fmt.Errorf("%w: find the newest row: %w", errDatabase, err)
	}
	return at, nil
}

// insertAtOnce is how many rows one statement stores: SQLite looks for each of its
// parameters among all of them.
const insertAtOnce = 50

// insert stores rows, all or none, and leaves out those that are there already. It
// returns what the expression key makes of each new one.
func (s *Store) insert(ctx context.Context, into, key string, rows [][]any) (fresh map[string]bool, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	fresh = map[string]bool{}
	err = s.transact(ctx, fmt.Sprintf("store %d rows", len(rows)), func(ctx context.Context, tx *sql.Tx) error {
		for some := range slices.Chunk(rows, insertAtOnce) {
			q, args := insertion(into, key, some)
			err := each(ctx, tx, q, args, func(scan func(...any) error) error {
				var text string
				err := scan(&text)
				fresh[text] = true
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return fresh, err
}

// insertion is the statement that stores rows.
func insertion(into, key string, rows [][]any) (query string, args []any) {
	var q strings.Builder
	q.WriteString("INSERT INTO " + into + " VALUES ")
	for i, row := range rows {
		separator := ", ("
		if i == 0 {
			separator = "("
		}
		for _, value := range row {
			args = append(args, value)
			fmt.Fprintf(&q, "%s$%d", separator, len(args))
			separator = ", "
		}
		q.WriteString(")")
	}
	return q.String() + " ON CONFLICT DO NOTHING RETURNING " + key, args
}

// transact does some work in a transaction.
func (s *Store) transact(ctx context.Context, what string, work func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, nil)
	if err == nil {
		if err = work(ctx, tx); err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errDatabase, what, err)
	}
	return nil
}

// querier is a database, or a transaction in one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls visit for each row that a query finds.
func each(ctx context.Context, db querier, query string, args []any, visit func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
