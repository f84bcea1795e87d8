package store

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/compression"
	"github.com/prometheus/prometheus/util/features"
)

// Defaults that differ from the library's or that it leaves to its caller.
const (
	// DefaultRetention holds when neither the file nor a flag sets a limit.
	DefaultRetention = 15 * 24 * time.Hour
	// DefaultMaxExemplars keeps exemplars on for 1.5 MB: the ring is allocated
	// when the TSDB opens, whether or not anybody sends exemplars.
	DefaultMaxExemplars = 2_500
	// DefaultReserveBytes is enough to map the finished chunks of some 100,000
	// series and to cut the write-ahead log while the disk is full.
	DefaultReserveBytes = 32 << 20

	maxBlockDuration = 31 * 24 * time.Hour
)

// Config is what a restart is needed for. Everything else comes from the
// Prometheus configuration and can be reloaded by [Store.Prepare].
type Config struct {
	// Dir holds the TSDB. It is created if missing.
	Dir string
	// Retention holds where the configuration file sets none.
	Retention promconfig.TSDBRetentionConfig
	// MinBlockDuration and MaxBlockDuration bound the time range of a block;
	// 0 means 2h, and a tenth of the retention but at most 31d.
	MinBlockDuration, MaxBlockDuration time.Duration
	// MaxExemplars holds where the configuration file sets none.
	// 0 means DefaultMaxExemplars; negative keeps none.
	MaxExemplars int64
	// WALSegmentBytes is the size of a write-ahead log file; 0 means 128 MiB.
	WALSegmentBytes int
	// BlockReloadInterval is how often retention and compaction are looked at;
	// 0 means every minute.
	BlockReloadInterval time.Duration
	// ReserveBytes is disk space held back for the time when the disk is full.
	// 0 means DefaultReserveBytes; negative turns the reserve off.
	ReserveBytes int64
	// StartTimeZeroSamples stores a zero at a counter's start time.
	StartTimeZeroSamples bool
	// RemoteFlushDeadline bounds how long stopping waits for remote write;
	// 0 means 1m.
	RemoteFlushDeadline time.Duration

	Query QueryConfig
}

// QueryConfig bounds and shapes PromQL.
type QueryConfig struct {
	MaxSamples    int           // 0 means 50,000,000 in one query.
	Timeout       time.Duration // 0 means 2m.
	Concurrency   int           // 0 means 20.
	LookbackDelta time.Duration // 0 means 5m.

	Parser             parser.Options
	PerStepStats       bool
	DelayedNameRemoval bool
	TypeAndUnitLabels  bool
	UseStartTimestamps bool
}

// Deps is what a Store needs from others.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// ScrapeManager gives remote write the metadata of targets. It may be nil,
	// and may answer that it is not ready yet.
	ScrapeManager remote.ReadyScrapeManager
	// FeatureRegistry may be nil.
	FeatureRegistry features.Collector
}

func (c Config) withDefaults() Config {
	if c.Retention == (promconfig.TSDBRetentionConfig{}) {
		c.Retention.Time = model.Duration(DefaultRetention)
	}
	c.MinBlockDuration = cmp.Or(c.MinBlockDuration, time.Duration(tsdb.DefaultBlockDuration)*time.Millisecond)
	c.MaxExemplars = max(0, cmp.Or(c.MaxExemplars, DefaultMaxExemplars))
	c.ReserveBytes = max(0, cmp.Or(c.ReserveBytes, DefaultReserveBytes))
	c.RemoteFlushDeadline = cmp.Or(c.RemoteFlushDeadline, time.Minute)
	c.Query.MaxSamples = cmp.Or(c.Query.MaxSamples, 50_000_000)
	c.Query.Timeout = cmp.Or(c.Query.Timeout, 2*time.Minute)
	c.Query.Concurrency = cmp.Or(c.Query.Concurrency, 20)
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no directory: set --storage.path"))
	}
	if c.MaxBlockDuration != 0 && c.MaxBlockDuration < c.MinBlockDuration {
		errs = append(errs, errors.New("the maximum block duration is shorter than the minimum; raise it or leave it out"))
	}
	if c.Query.Concurrency < 0 || c.Query.MaxSamples < 0 || c.Query.Timeout < 0 || c.Query.LookbackDelta < 0 {
		errs = append(errs, errors.New("query limits are negative; leave a limit out to get its default"))
	}
	return errors.Join(errs...)
}

// options translates for the library. prom is complete: see complete.
func (c Config) options(prom *promconfig.Config, reg features.Collector) *tsdb.Options {
	file := prom.StorageConfig.TSDBConfig
	o := tsdb.DefaultOptions()
	o.NoLockfile = true // New holds the lock.
	o.WALCompression = compression.Snappy
	o.WALSegmentSize = c.WALSegmentBytes
	o.RetentionDuration = time.Duration(file.Retention.Time).Milliseconds()
	o.MaxBytes = int64(file.Retention.Size)
	o.MaxPercentage = file.Retention.Percentage
	o.MinBlockDuration = c.MinBlockDuration.Milliseconds()
	o.MaxBlockDuration = c.maxBlockDuration(time.Duration(file.Retention.Time)).Milliseconds()
	o.BlockReloadInterval = c.BlockReloadInterval
	o.OutOfOrderTimeWindow = file.OutOfOrderTimeWindow
	o.StaleSeriesCompactionThreshold = file.StaleSeriesCompactionThreshold
	o.EnableExemplarStorage = true // The ring can be resized by a reload, not switched on.
	o.MaxExemplars = prom.StorageConfig.ExemplarsConfig.MaxExemplars
	o.EnableSTAsZeroSample = c.StartTimeZeroSamples
	o.FeatureRegistry = reg
	if file.ChunkEncoding.Floats == promconfig.FloatChunkEncodingXOR2 {
		o.FloatChunkEncoding = chunkenc.EncXOR2
	}
	return o
}

// maxBlockDuration keeps blocks small against the retention, because a block
// is dropped only as a whole.
func (c Config) maxBlockDuration(retention time.Duration) time.Duration {
	if c.MaxBlockDuration != 0 {
		return c.MaxBlockDuration
	}
	if retention > 0 {
		return min(maxBlockDuration, retention/10)
	}
	return maxBlockDuration
}

// complete returns prom with what its file leaves open filled in, so that the
// file wins over flags and flags over defaults. prom itself is not touched.
func (c Config) complete(prom *promconfig.Config) *promconfig.Config {
	full := *prom
	file := promconfig.TSDBConfig{}
	if prom.StorageConfig.TSDBConfig != nil {
		file = *prom.StorageConfig.TSDBConfig
	}
	if file.Retention == nil || *file.Retention == (promconfig.TSDBRetentionConfig{}) {
		retention := c.Retention
		file.Retention = &retention
	}
	full.StorageConfig.TSDBConfig = &file
	// The library dereferences this one without looking.
	if full.StorageConfig.ExemplarsConfig == nil {
		full.StorageConfig.ExemplarsConfig = &promconfig.ExemplarsConfig{MaxExemplars: c.MaxExemplars}
	}
	return &full
}
