package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
)

// OpenError says that the TSDB cannot be opened: no restart helps before
// somebody has looked at Dir.
type OpenError struct {
	Dir string
	Err error
}

func (e *OpenError) Error() string { return fmt.Sprintf("open storage %q: %v", e.Dir, e.Err) }
func (e *OpenError) Unwrap() error { return e.Err }

// Store is the TSDB with remote storage fanned out beside it. All methods are
// safe for concurrent use. Until [Store.Ready] is closed, and again after Run
// has returned, they answer tsdb.ErrNotReady.
type Store struct {
	cfg     Config
	deps    Deps
	logger  *slog.Logger
	metrics *metrics

	lock       *dirLock
	disk       *disk
	quarantine *quarantine
	parser     parser.Parser
	engine     *promql.Engine
	stats      *tsdb.DBStats

	// evalInterval is the default step of a subquery, in milliseconds.
	evalInterval atomic.Int64

	ready   chan struct{}
	running atomic.Bool
	open    atomic.Pointer[open]
	close   func() error

	// mu keeps a reload and the opening apart, so that no configuration is lost
	// between them.
	mu   sync.Mutex
	prom *promconfig.Config
}

// open is what exists only while the TSDB is open.
type open struct {
	db     *tsdb.DB
	local  storage.Storage
	remote *remote.Storage
	fanout storage.Storage
}

var _ storage.Storage = (*Store)(nil)

// noScrapeManager leaves remote write without the metadata of targets.
type noScrapeManager struct{}

func (noScrapeManager) Get() (*scrape.Manager, error) {
	return nil, errors.New("no scrape manager")
}

// New checks the configuration, takes the directory's lock and builds the
// query engine. The TSDB itself is opened by [Store.Run]; a Store that never
// runs is given up with [Store.Close].
func New(cfg Config, prom *promconfig.Config, d Deps) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	cfg = cfg.withDefaults()
	if d.Logger == nil {
		d.Logger = promslog.NewNopLogger()
	}
	if d.Registerer == nil {
		d.Registerer = prometheus.NewRegistry()
	}
	if d.ScrapeManager == nil {
		d.ScrapeManager = noScrapeManager{}
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg:        cfg,
		deps:       d,
		logger:     d.Logger,
		lock:       lock,
		quarantine: &quarantine{dir: filepath.Join(cfg.Dir, quarantineDir), logger: d.Logger},
		parser:     parser.NewParser(cfg.Query.Parser),
		stats:      tsdb.NewDBStats(),
		ready:      make(chan struct{}),
	}
	s.close = sync.OnceValue(s.release)
	s.disk = newDisk(cfg.Dir, cfg.ReserveBytes, d.Logger)
	s.disk.reserve()
	s.metrics = newMetrics(d.Registerer, s.disk, s.quarantine)
	commit, err := s.Prepare(prom)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.engine, err = s.newEngine(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	commit()
	return s, nil
}

func (s *Store) newEngine() (*promql.Engine, error) {
	q := s.cfg.Query
	tracker, err := promql.NewActiveQueryTracker(s.cfg.Dir, q.Concurrency, s.logger)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return promql.NewEngine(promql.EngineOpts{
		Logger:                   s.logger.With("component", "query engine"),
		Reg:                      s.deps.Registerer,
		MaxSamples:               q.MaxSamples,
		Timeout:                  q.Timeout,
		ActiveQueryTracker:       tracker,
		LookbackDelta:            q.LookbackDelta,
		NoStepSubqueryIntervalFn: func(int64) int64 { return s.evalInterval.Load() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		EnablePerStepStats:       q.PerStepStats,
		EnableDelayedNameRemoval: q.DelayedNameRemoval,
		EnableTypeAndUnitLabels:  q.TypeAndUnitLabels,
		UseStartTimestamps:       q.UseStartTimestamps,
		FeatureRegistry:          s.deps.FeatureRegistry,
		Parser:                   s.parser,
	}), nil
}

// Run opens the TSDB, which replays the write-ahead log, serves until ctx ends
// and closes everything in order. It returns an *OpenError if the TSDB cannot
// be opened. The replay itself cannot be interrupted.
func (s *Store) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("storage: Run was called twice")
	}
	o, err := s.openAll()
	if err != nil {
		return errors.Join(&OpenError{Dir: s.cfg.Dir, Err: err}, s.close())
	}
	close(s.ready)

	<-ctx.Done()

	s.mu.Lock() // A reload that is under way ends first.
	s.open.Store(nil)
	s.mu.Unlock()
	s.logger.Info("Storage stopping")
	// The fanout closes the TSDB first, so that remote write can still send
	// what was appended last.
	return errors.Join(o.fanout.Close(), s.close())
}

func (s *Store) openAll() (*open, error) {
	start := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()

	guard := &guard{q: s.quarantine, dir: s.cfg.Dir}
	// First what a crash during the last opening left behind.
	for _, step := range []func() error{guard.settle, s.inspect, guard.hold} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	logger := s.logger.With("component", "tsdb")
	db, err := tsdb.Open(s.cfg.Dir, logger, s.deps.Registerer, s.cfg.options(s.prom, s.deps.FeatureRegistry), s.stats)
	// Also after a failure: the library may have removed files before it gave up.
	if err := errors.Join(err, guard.settle()); err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		return nil, err
	}
	local := &local{DB: db, margin: 2 * s.cfg.MinBlockDuration}
	rs := remote.NewStorage(s.logger.With("component", "remote"), s.deps.Registerer, local.StartTime, s.cfg.Dir,
		s.cfg.RemoteFlushDeadline, s.deps.ScrapeManager, s.cfg.Query.TypeAndUnitLabels)
	o := &open{db: db, local: local, remote: rs, fanout: storage.NewFanout(s.logger, local, rs)}
	if err := rs.ApplyConfig(s.prom); err != nil {
		return nil, errors.Join(fmt.Errorf("start remote storage: %w", err), o.fanout.Close())
	}
	db.SetWriteNotified(rs)
	s.metrics.observe(s.deps.Registerer, db)
	s.open.Store(o)
	s.logger.Info("Storage ready", "dir", s.cfg.Dir, "series", db.Head().NumSeries(), "blocks", len(db.Blocks()),
		"took", time.Since(start).Round(time.Millisecond))
	return o, nil
}

// Ready is closed when queries and appends work.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Engine evaluates PromQL.
func (s *Store) Engine() promql.QueryEngine { return s.engine }

// Parser parses PromQL with the options of this Store's engine.
func (s *Store) Parser() parser.Parser { return s.parser }

// Close gives up a Store that never ran. A running Store is stopped by the
// context of its Run; then Close only says so.
func (s *Store) Close() error {
	if s.running.Load() {
		return errors.New("storage: still owned by Run; end its context instead")
	}
	return s.close()
}

// release undoes New.
func (s *Store) release() error {
	var errs []error
	if s.engine != nil {
		s.engine.SetQueryLogger(nil)
		errs = append(errs, s.engine.Close())
	}
	return errors.Join(append(errs, s.lock.release())...)
}
