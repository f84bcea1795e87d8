package state

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

// Migrations are files 0001_….sql, 0002_….sql and so on. One that was released
// is never changed: another one follows.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate runs what the database has not seen, each migration whole or not at
// all. PRAGMA user_version counts them.
func migrate(db *sql.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // Sorted.
	if err != nil {
		return err
	}
	ctx := context.Background()
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(files) {
		return fmt.Errorf("a newer hedgewatch wrote this file (schema %d, known here are %d); run that one, or move the file away to start without users and dashboards", version, len(files))
	}
	for i := version; i < len(files); i++ {
		text, err := migrations.ReadFile(files[i])
		if err != nil {
			return err
		}
		err = inTransaction(ctx, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, fmt.Sprintf("%s;\nPRAGMA user_version = %d", text, i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", files[i], err)
		}
	}
	return nil
}
