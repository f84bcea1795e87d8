package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

const (
	scrapeStep = 15 * time.Second
	// The time ranges to which a server with 15 days of retention compacts.
	smallBlock, middleBlock, largeBlock = 2 * time.Hour, 6 * time.Hour, 18 * time.Hour
)

// history writes the workload's past as a TSDB that has been at work since then:
// compacted blocks, and the newest samples in the write-ahead log.
type history struct {
	instances, paths int
	from, until      time.Time
}

func (h history) write(ctx context.Context, dir string) error {
	logger := slog.New(slog.DiscardHandler)
	instances := newInstances(h.instances, h.paths)
	cuts := blockCuts(h.from, h.until)
	for i := range len(cuts) - 1 {
		w, err := tsdb.NewBlockWriter(logger, dir, largeBlock.Milliseconds())
		if err != nil {
			return err
		}
		err = appendSteps(ctx, w, instances, cuts[i], cuts[i+1])
		if err == nil {
			_, err = w.Flush(ctx)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("write block: %w", err)
		}
	}
	return writeLog(ctx, dir, instances, cuts[len(cuts)-1], h.until)
}

// writeLog leaves samples in the write-ahead log, for the servers to replay.
func writeLog(ctx context.Context, dir string, instances []*instance, from, until time.Time) error {
	options := tsdb.DefaultOptions()
	options.WALCompression = compression.Snappy
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, options, nil)
	if err != nil {
		return err
	}
	db.DisableCompactions()
	return errors.Join(appendSteps(ctx, db, instances, from, until), db.Close())
}

// blockCuts are the ends of the blocks that a server would have by now: the
// largest aligned range that is complete, then smaller ones. What follows the
// last cut is still in the head. A server leaves such blocks alone.
func blockCuts(from, until time.Time) []time.Time {
	cuts := []time.Time{from}
	at := from
	for _, size := range []time.Duration{largeBlock, middleBlock, smallBlock} {
		for {
			// Truncate counts from year 1; the library's ranges from 1970.
			end := at.Add(size - time.Duration(at.UnixMilli()%size.Milliseconds())*time.Millisecond)
			if end.After(until) {
				break
			}
			cuts = append(cuts, end)
			at = end
		}
	}
	return cuts
}

type appendable interface {
	Appender(context.Context) storage.Appender
}

// appendSteps appends a sample of every series at each step, until excluded.
func appendSteps(ctx context.Context, to appendable, instances []*instance, from, until time.Time) error {
	refs := make([][]storage.SeriesRef, len(instances))
	for i, in := range instances {
		refs[i] = make([]storage.SeriesRef, len(in.series))
	}
	for at := from; at.Before(until); at = at.Add(scrapeStep) {
		app := to.Appender(ctx)
		for i, in := range instances {
			in.step()
			for j, s := range in.series {
				ref, err := app.Append(refs[i][j], s.labels, at.UnixMilli(), s.value)
				if err != nil {
					return errors.Join(fmt.Errorf("append %s: %w", s.labels, err), app.Rollback())
				}
				refs[i][j] = ref
			}
		}
		if err := app.Commit(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
