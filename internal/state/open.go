package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// checkTime bounds the check at the start. A database that takes longer is
	// used unchecked: whatever waits for the start is worth more.
	checkTime = 2 * time.Second
	// maxReaders bounds the connections that read; each has a cache of 2 MiB.
	maxReaders = 4
	idleReader = 5 * time.Minute
)

// connection is what a pool of connections is for.
type connection int

const (
	writerConnection connection = iota
	readerConnection
	copyConnection // reads only, but SQLite counts the copy as a write
)

// connect opens a pool. Every commit reaches the disk (synchronous=FULL): a
// person who was told "saved" must find it after a power cut, and what comes
// often is written in batches.
func connect(path string, kind connection) (*sql.DB, error) {
	q := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "journal_size_limit(16777216)"}}
	switch kind {
	case writerConnection:
		q.Set("_txlock", "immediate")
	case readerConnection:
		q.Add("_pragma", "query_only(1)")
	}
	// As a URL, or a "?" in the path would end it.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	if kind == writerConnection {
		db.SetMaxOpenConns(1)
	} else {
		db.SetMaxOpenConns(maxReaders)
		db.SetConnMaxIdleTime(idleReader)
	}
	return db, nil
}

// openOrSetAside makes sure that the file is a sound database with our tables.
// It returns the new name of a corrupt one.
func openOrSetAside(path string, logger *slog.Logger) (setAside string, err error) {
	err = prepareFile(path, logger)
	if !isCorrupt(err) {
		return "", err
	}
	setAside = fmt.Sprintf("%s.corrupt-%s", path, time.Now().UTC().Format("20060102T150405"))
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, setAside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("set the corrupt file aside: %w", err)
		}
	}
	logger.Error("State is corrupt and was set aside; users, dashboards, rules made in the UI and alert history start empty",
		"file", setAside, "err", err)
	return setAside, prepareFile(path, logger)
}

// prepareFile creates, checks and migrates the database.
func prepareFile(path string, logger *slog.Logger) (err error) {
	// It holds password hashes. SQLite gives its other files the same mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(path, writerConnection)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := check(db, logger); err != nil {
		return err
	}
	return migrate(db)
}

// errCorrupt is what a failed check says.
var errCorrupt = errors.New("database is corrupt")

func isCorrupt(err error) bool {
	return errors.Is(err, errCorrupt) || hasCode(err, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
}

// isHopeless tells that the same statements would fail again on a good disk.
func isHopeless(err error) bool {
	return hasCode(err, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)
}

func hasCode(err error, codes ...int) bool {
	var failure *sqlite.Error
	return errors.As(err, &failure) && slices.Contains(codes, failure.Code()&0xff) // The rest is detail.
}

// check looks at every page, for checkTime at most.
func check(db *sql.DB, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	var verdict string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case ctx.Err() != nil:
		logger.Info("State is too large for a full check at the start", "checked", checkTime)
		return nil
	case err != nil:
		return err
	case verdict != "ok":
		return fmt.Errorf("%w: %s", errCorrupt, verdict)
	}
	return nil
}
