package store

import (
	"context"
	"errors"
	"syscall"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// Appender appends to the TSDB and to remote write. What it cannot take it
// refuses at the first sample, with tsdb.ErrNotReady or [ErrDiskFull].
func (s *Store) Appender(ctx context.Context) storage.Appender {
	o, err := s.admit()
	if err != nil {
		return refusing{err}
	}
	return &appender{Appender: o.fanout.Appender(ctx), s: s}
}

// AppenderV2 is Appender in the library's newer form.
func (s *Store) AppenderV2(ctx context.Context) storage.AppenderV2 {
	o, err := s.admit()
	if err != nil {
		return refusingV2{refusing{err}}
	}
	return &appenderV2{AppenderV2: o.fanout.AppenderV2(ctx), s: s}
}

func (s *Store) admit() (*open, error) {
	o := s.open.Load()
	if o == nil {
		return nil, s.failed(tsdb.ErrNotReady)
	}
	if err := s.disk.check(); err != nil {
		return nil, s.failed(err)
	}
	return o, nil
}

// commit writes the log only while it has room. A record torn by a full disk
// would take every later one with it at the next replay.
func (s *Store) commit(tx storage.AppenderTransaction) error {
	if err := s.disk.check(); err != nil {
		return s.failed(errors.Join(err, tx.Rollback()))
	}
	err := tx.Commit()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = errors.Join(s.disk.overrun(), err)
	}
	return s.failed(err)
}

// failed counts err by its reason and returns it.
func (s *Store) failed(err error) error {
	switch {
	case err == nil:
	case errors.Is(err, ErrDiskFull):
		s.metrics.diskFull.Inc()
	case errors.Is(err, tsdb.ErrNotReady):
		s.metrics.notReady.Inc()
	default:
		s.metrics.otherFailure.Inc()
	}
	return err
}

type appender struct {
	storage.Appender
	s *Store
}

func (a *appender) Commit() error { return a.s.commit(a.Appender) }

type appenderV2 struct {
	storage.AppenderV2
	s *Store
}

func (a *appenderV2) Commit() error { return a.s.commit(a.AppenderV2) }

// refusing answers every append with its error. Nothing was begun, so that
// there is nothing to roll back.
type refusing struct{ err error }

func (r refusing) Append(storage.SeriesRef, labels.Labels, int64, float64) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusing) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusing) AppendHistogram(storage.SeriesRef, labels.Labels, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusing) AppendHistogramSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusing) AppendSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusing) UpdateMetadata(storage.SeriesRef, labels.Labels, metadata.Metadata) (storage.SeriesRef, error) {
	return 0, r.err
}

func (refusing) SetOptions(*storage.AppendOptions) {}
func (r refusing) Commit() error                   { return r.err }
func (refusing) Rollback() error                   { return nil }

type refusingV2 struct{ refusing }

func (r refusingV2) Append(storage.SeriesRef, labels.Labels, int64, int64, float64, *histogram.Histogram, *histogram.FloatHistogram, storage.AOptions) (storage.SeriesRef, error) {
	return 0, r.err
}
