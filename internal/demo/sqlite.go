package demo

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // The driver "sqlite".
)

// sqliteFile is a database in a file, for machines without PostgreSQL. hedgewatch's
// audit reads it by way of the platform's row server.
type sqliteFile struct {
	path string
	// lock is a connection of the demo's own, which takes the lock of all writers
	// while the database is cut.
	lock *sql.DB
	held *sql.Tx
}

func openSQLite(dir string) (*sqliteFile, error) {
	f := &sqliteFile{path: filepath.Join(dir, "platform.db")}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)"}}
	var err error
	f.lock, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: f.path, RawQuery: q.Encode()}).String())
	return f, err
}

// cut takes the lock that writers need, as a backup does that has been forgotten.
func (f *sqliteFile) cut(context.Context) (err error) {
	// The transaction outlives the request that began it.
	f.held, err = f.lock.BeginTx(context.Background(), nil)
	return err
}

func (f *sqliteFile) start(context.Context) error {
	if f.held == nil {
		return nil
	}
	err := f.held.Rollback()
	f.held = nil
	return err
}

func (f *sqliteFile) close() { _ = errors.Join(f.start(context.Background()), f.lock.Close()) } // Its directory goes as well.

func (f *sqliteFile) log() []byte { return nil }

func (f *sqliteFile) address() string { return "sqlite://" + f.path }

func (f *sqliteFile) needsRowServer() bool { return true }

func (f *sqliteFile) texts() texts {
	return texts{
		cut:      "The database's lock for writing is taken and not given back, as by a backup that hangs.",
		dropRows: `CREATE TRIGGER swallow BEFORE INSERT ON klines WHEN NEW.symbol = 'ETHUSDT' BEGIN SELECT RAISE(IGNORE); END`,
		keepRows: `DROP TRIGGER IF EXISTS swallow`,
		alterRow: `
			CREATE TABLE altered AS SELECT rowid AS id, qty FROM ts_user_trades
				ORDER BY time DESC LIMIT 1;
			UPDATE ts_user_trades SET qty = '0' WHERE rowid = (SELECT id FROM altered)`,
		restoreRow: `
			UPDATE ts_user_trades SET qty = (SELECT qty FROM altered) WHERE rowid = (SELECT id FROM altered);
			DROP TABLE altered`,
	}
}
