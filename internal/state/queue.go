package state

import (
	"context"
	"database/sql"
	"log/slog"
	"time"
)

const (
	// maxQueued bounds what waits for the writer. A storm of ten thousand
	// alerts fits.
	maxQueued = 16 << 10
	// maxBatch bounds one transaction, so that a person who saves something
	// waits for a moment only.
	maxBatch = 512
	// lastWords is what the rest of the queue gets when we stop.
	lastWords = 10 * time.Second
)

// entry is one thing to write, of a kind that the metrics name.
type entry struct {
	kind  string
	write func(ctx context.Context, tx *sql.Tx) error
}

// queue takes what must not wait. Everything there is goes into one
// transaction, so that the busier it is, the less each entry costs.
type queue struct {
	db      *sql.DB
	logger  *slog.Logger
	metrics *metrics
	entries chan entry
}

func newQueue(db *sql.DB, logger *slog.Logger, m *metrics) *queue {
	return &queue{db: db, logger: logger, metrics: m, entries: make(chan entry, maxQueued)}
}

// put never blocks: what finds the queue full is counted and lost.
func (q *queue) put(e entry) {
	select {
	case q.entries <- e:
	default:
		q.metrics.dropped.WithLabelValues(e.kind).Inc()
	}
}

// run writes until ctx ends, and then what is left.
func (q *queue) run(ctx context.Context) {
	for {
		select {
		case first := <-q.entries:
			q.writeUntilDone(ctx, q.batch(first))
		case <-ctx.Done():
			q.drain(context.WithoutCancel(ctx))
			return
		}
	}
}

func (q *queue) batch(first entry) []entry {
	batch := []entry{first}
	for len(batch) < maxBatch {
		select {
		case next := <-q.entries:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// writeUntilDone tries until the batch is written or ctx ends: a disk that is
// full now may have room in a minute.
func (q *queue) writeUntilDone(ctx context.Context, batch []entry) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := q.writeBatch(context.WithoutCancel(ctx), batch)
		if err == nil {
			return
		}
		if isHopeless(err) {
			q.logger.Error("State not written, and never will be", "entries", len(batch), "err", err)
			q.lose(batch)
			return
		}
		q.logger.Warn("State not written; it is tried again", "entries", len(batch), "wait", wait, "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			q.lose(batch)
			return
		}
	}
}

func (q *queue) writeBatch(ctx context.Context, batch []entry) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return inTransaction(ctx, q.db, func(tx *sql.Tx) error {
		for _, e := range batch {
			if err := e.write(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (q *queue) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	for {
		select {
		case first := <-q.entries:
			batch := q.batch(first)
			if err := q.writeBatch(ctx, batch); err != nil {
				q.logger.Warn("State not written before the stop", "entries", len(batch), "err", err)
				q.lose(batch)
			}
		default:
			return
		}
	}
}

func (q *queue) lose(batch []entry) {
	for _, e := range batch {
		q.metrics.dropped.WithLabelValues(e.kind).Inc()
	}
}
