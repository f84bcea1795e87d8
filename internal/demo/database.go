package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
)

// A database is where the platform keeps its data: PostgreSQL or SQLite.
type database interface {
	// address is what the platform's services open.
	address() string
	// needsRowServer says that hedgewatch's audit cannot read it by itself.
	needsRowServer() bool
	// cut makes it unusable at once, and start usable again.
	cut(context.Context) error
	start(context.Context) error
	close()
	// log is what the database said last.
	log() []byte
	texts() texts
}

// texts are what the faults do to a database, in its words.
type texts struct {
	cut                                      string // For people.
	dropRows, keepRows, alterRow, restoreRow string // Statements.
}

// The kinds of databases, and Automatic for the first of them that is there.
const (
	Automatic  = "auto"
	PostgreSQL = "postgresql"
	SQLite     = "sqlite"
)

// Databases are the kinds that can be chosen.
func Databases() []string { return []string{Automatic, PostgreSQL, SQLite} }

// startDatabase makes a new database below dir, with the platform's tables.
func startDatabase(ctx context.Context, kind, dir string, accounts []platform.Account) (database, error) {
	if _, err := findPostgres(); kind == Automatic {
		kind = PostgreSQL
		if err != nil {
			kind = SQLite
		}
	}
	var d database
	var err error
	if kind == SQLite {
		d, err = openSQLite(dir)
	} else {
		d, err = startPostgres(ctx, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the platform's database: %w; choose another --database", err)
	}
	err = withStore(ctx, d, func(store *platform.Store) error { return store.Create(ctx, accounts) })
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// withStore works on connections of its own.
func withStore(ctx context.Context, d database, work func(*platform.Store) error) error {
	store, err := platform.OpenStore(ctx, d.address())
	if err != nil {
		return err
	}
	return errors.Join(work(store), store.Close())
}

// awaitBars returns when the crawler has caught up.
func awaitBars(ctx context.Context, store *platform.Store) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		switch done, err := store.UpToDate(ctx); {
		case err != nil:
			return fmt.Errorf("the kline crawler has stored nothing in %s: %w", patience, err)
		case done:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the kline crawler has not caught up: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
