package platform

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Schema makes the platform's tables.
//
//go:embed schema.sql
var Schema string

// errDatabase is in errors of the platform's own database.
var errDatabase = errors.New("database")

const (
	connectTimeout = 2 * time.Second
	queryTimeout   = 5 * time.Second
)

func open(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: database: %w", ErrConfig, err)
	}
	cfg.MaxConns = 4
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDatabase, err)
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("%w: %w", errDatabase, err)
	}
	return pool, nil
}

// store commits all rows of a batch, or none.
func (s *service) store(ctx context.Context, b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := s.db.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("%w: store %d rows: %w", errDatabase, b.Len(), err)
	}
	return nil
}
