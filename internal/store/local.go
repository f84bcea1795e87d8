package store

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// local is the TSDB as remote read sees it.
type local struct {
	*tsdb.DB
	margin time.Duration
}

// StartTime is when queries can do without remote read, in milliseconds. The
// margin covers what is still being written right after a start.
func (l *local) StartTime() (int64, error) {
	start := time.Now().UnixMilli()
	if blocks := l.Blocks(); len(blocks) > 0 {
		start = blocks[0].Meta().MinTime
	}
	return start + l.margin.Milliseconds(), nil
}

// Local queries the TSDB alone, without remote read: for federation and for
// restoring the state of alerts.
func (s *Store) Local() storage.SampleAndChunkQueryable { return localQueryable{s} }

type localQueryable struct{ s *Store }

func (q localQueryable) Querier(mint, maxt int64) (storage.Querier, error) {
	if o := q.s.open.Load(); o != nil {
		return o.local.Querier(mint, maxt)
	}
	return nil, tsdb.ErrNotReady
}

func (q localQueryable) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	if o := q.s.open.Load(); o != nil {
		return o.local.ChunkQuerier(mint, maxt)
	}
	return nil, tsdb.ErrNotReady
}

// Querier reads the TSDB and the remote endpoints.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) {
	if o := s.open.Load(); o != nil {
		return o.fanout.Querier(mint, maxt)
	}
	return nil, tsdb.ErrNotReady
}

// ChunkQuerier reads the TSDB and the remote endpoints.
func (s *Store) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	if o := s.open.Load(); o != nil {
		return o.fanout.ChunkQuerier(mint, maxt)
	}
	return nil, tsdb.ErrNotReady
}

// ExemplarQuerier reads the exemplars in memory.
func (s *Store) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	if o := s.open.Load(); o != nil {
		return o.db.ExemplarQuerier(ctx)
	}
	return nil, tsdb.ErrNotReady
}

// StartTime is the oldest time stored, in milliseconds.
func (s *Store) StartTime() (int64, error) {
	if o := s.open.Load(); o != nil {
		return o.fanout.StartTime()
	}
	return math.MaxInt64, tsdb.ErrNotReady
}

// CleanTombstones rewrites the blocks from which series were deleted.
func (s *Store) CleanTombstones() error {
	if o := s.open.Load(); o != nil {
		return o.db.CleanTombstones()
	}
	return tsdb.ErrNotReady
}

// Delete marks the samples of matching series in [mint, maxt] as deleted.
func (s *Store) Delete(ctx context.Context, mint, maxt int64, ms ...*labels.Matcher) error {
	if o := s.open.Load(); o != nil {
		return o.db.Delete(ctx, mint, maxt, ms...)
	}
	return tsdb.ErrNotReady
}

// Snapshot copies the blocks, and the head if asked, to dir.
func (s *Store) Snapshot(dir string, withHead bool) error {
	if o := s.open.Load(); o != nil {
		return o.db.Snapshot(dir, withHead)
	}
	return tsdb.ErrNotReady
}

// Stats counts what is in the head.
func (s *Store) Stats(statsByLabelName string, limit int) (*tsdb.Stats, error) {
	if o := s.open.Load(); o != nil {
		return o.db.Head().Stats(statsByLabelName, limit), nil
	}
	return nil, tsdb.ErrNotReady
}

// WALReplayStatus answers also while the TSDB is being opened.
func (s *Store) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return s.stats.Head.WALReplayStatus.GetWALReplayStatus(), nil
}

// BlockMetas describes the blocks that are open.
func (s *Store) BlockMetas() ([]tsdb.BlockMeta, error) {
	if o := s.open.Load(); o != nil {
		return o.db.BlockMetas(), nil
	}
	return nil, tsdb.ErrNotReady
}
