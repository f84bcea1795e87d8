// Package app is where all parts meet: it builds them from one configuration,
// starts them in order, reloads them all or nothing, and stops them in reverse.
//
// A part's own logic has no place here. Start with [New].
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tracing"
	"github.com/prometheus/prometheus/util/features"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/alerting/intake"
	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/chart"
	"github.com/hedgewatch/hedgewatch/internal/collector/connectivity"
	"github.com/hedgewatch/hedgewatch/internal/collector/process"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/governor"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
	"github.com/hedgewatch/hedgewatch/internal/scraper"
	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/state"
	"github.com/hedgewatch/hedgewatch/internal/store"
	"github.com/hedgewatch/hedgewatch/internal/stream"
	"github.com/hedgewatch/hedgewatch/ui"
)

// Options come from the command line and hold for the life of the process.
type Options struct {
	// ConfigFile is the configuration file; "" is the built-in default.
	ConfigFile string
	// StoragePath is the directory that holds everything we keep.
	StoragePath string
	// Instance is the instance label of this host and this process.
	Instance string

	Web   api.Config
	Store store.Config
	Ruler ruler.Options

	// Flags is what /api/v1/status/flags shows.
	Flags map[string]string
	// Version of this build.
	Version api.Version
	// SetLogLevel is called with `runtime.log_level` of each configuration.
	SetLogLevel func(string) error
	// SetGCPercent is called with `runtime.gogc` of each configuration.
	SetGCPercent func(int)
}

// App is the whole program.
type App struct {
	opts   Options
	logger *slog.Logger
	reg    *prometheus.Registry

	store     *store.Store
	state     *state.State
	alerting  *alerting.Alerting
	intake    *intake.Intake
	events    *event.Events
	trust     trust
	ruler     *ruler.Ruler
	scraper   *scraper.Scraper
	governor  *governor.Governor // nil without the section
	services  *services.Services // nil if no platform is watched
	processes *process.Finder    // nil if process groups are not watched as services
	// serviceParts and serviceMetrics are of services and its watchers.
	serviceParts   []part
	serviceMetrics prometheus.Gatherer
	audit          *audit.Auditor // nil without datasets
	// connectivity measures nothing without its section.
	connectivity *connectivity.Collector
	// closeAudit closes what the audit reads.
	closeAudit func()
	tracing    *tracing.Manager
	web        *api.Server
	stream     *stream.Hub
	host       *hostJob
	self       selfJob

	// mu serialises reloads; config is what runs.
	mu      sync.Mutex
	config  atomic.Pointer[config.Config]
	reloads *reloads

	parts []part
	// waiting is the part whose start is awaited; empty when all run.
	waiting atomic.Pointer[string]
	quit    chan struct{}
	quitNow func()
}

// New loads the configuration and builds every part. It takes the lock of the
// storage directory, and starts nothing; an App that never runs is given up
// with Close.
func New(opts Options, logger *slog.Logger) (*App, error) {
	a := &App{opts: opts, logger: logger, quit: make(chan struct{})}
	a.quitNow = sync.OnceFunc(func() { close(a.quit) })
	a.waiting.Store(new("the start"))
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	a.config.Store(cfg)
	a.warn(cfg)
	if err := a.build(cfg); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close gives up an App that never ran.
func (a *App) Close() {
	a.closeState()
	if a.store == nil {
		return
	}
	if err := a.store.Close(); err != nil {
		a.logger.Warn("Storage not closed cleanly", "err", err)
	}
}

// Addr is the first address that the web server is bound to, nil before Run.
func (a *App) Addr() net.Addr { return a.web.Addr() }

func (a *App) load() (*config.Config, error) {
	return config.Load(a.opts.ConfigFile, config.Options{
		Logger:    a.logger,
		Parser:    parser.NewParser(a.opts.Store.Query.Parser),
		Retention: a.opts.Store.Retention,
	})
}

// warn logs what is valid in cfg and probably not meant.
func (a *App) warn(cfg *config.Config) {
	for _, w := range cfg.Warnings {
		a.logger.Warn("Configuration", "warning", w)
	}
}

// build makes the parts in the order in which they need each other.
func (a *App) build(cfg *config.Config) (err error) {
	a.reg = newRegistry(a.opts.Version)
	a.reloads = newReloads(a.reg)
	feats := features.NewRegistry()
	if err := discovery.RegisterK8sClientMetricsWithPrometheus(a.reg); err != nil {
		return err
	}
	sdMetrics, err := discovery.CreateAndRegisterSDMetrics(a.reg)
	if err != nil {
		return err
	}

	if a.stream, err = stream.New(a.reg); err != nil {
		return err
	}
	if err := a.buildState(cfg); err != nil {
		return err
	}
	opts := a.opts.Store
	opts.Dir = filepath.Join(a.opts.StoragePath, "tsdb")
	a.store, err = store.New(opts, cfg.Prometheus, store.Deps{
		Logger:          a.logger.With("component", "store"),
		Registerer:      a.reg,
		ScrapeManager:   lateScraper{a},
		FeatureRegistry: feats,
	})
	if err != nil {
		return err
	}
	a.buildCanary()
	a.alerting, err = alerting.New(alertingConfig(cfg), alerting.Deps{
		Logger:      a.logger.With("component", "alerting"),
		Registerer:  a.reg,
		Dir:         filepath.Join(a.opts.StoragePath, "alerting"),
		ExternalURL: a.opts.Web.ExternalURL,
		Senders:     a.canarySender(nil),
		Graphs:      alerting.Graphs{Chat: a.graph(chart.Dark), Mail: a.graph(chart.Light)},
		Grace:       grace(cfg.Prometheus.GlobalConfig),
		Transition:  a.recordTransition,
		Attempted:   a.changes(stream.Deliveries),
	})
	if err != nil {
		return err
	}
	a.intake, err = intake.New(intakeConfig(cfg), intake.Deps{
		Logger:     a.logger.With("component", "intake"),
		Registerer: a.reg,
		SDMetrics:  sdMetrics,
		Put:        a.put,
		StatePath:  filepath.Join(a.opts.StoragePath, "alerting", "flapping"),
	})
	if err != nil {
		return err
	}
	if err := a.buildEvents(); err != nil {
		return err
	}
	if err := a.buildServices(cfg); err != nil {
		return err
	}
	a.ruler, err = ruler.New(a.rulerConfig(cfg), a.opts.Ruler, ruler.Deps{
		Logger:      a.logger.With("component", "ruler"),
		Registerer:  a.reg,
		Features:    feats,
		Engine:      a.store.Engine(),
		Parser:      a.store.Parser(),
		Storage:     a.store,
		Local:       a.store.Local(),
		Send:        a.intake.Send,
		Latency:     a.observeLatency,
		Pending:     a.recordPending,
		Committed:   a.changes(stream.Samples),
		Incidents:   incidents{a.events},
		StatePath:   filepath.Join(a.opts.StoragePath, "rules", "journal"),
		ExternalURL: a.opts.Web.ExternalURL,
	})
	if err != nil {
		return err
	}
	a.self = selfJob{instance: a.opts.Instance, gatherer: newGatherer(a.reg)}
	a.host = newHostJob(a.opts.Instance, a.logger.With("component", "host"))
	if err := a.buildConnectivity(cfg); err != nil {
		return err
	}
	locals, commitHost, err := a.locals(cfg)
	if err != nil {
		return err
	}
	a.scraper, err = scraper.New(scraper.Config{Prometheus: cfg.Prometheus, Locals: locals}, scraper.Deps{
		Logger:            a.logger.With("component", "scraper"),
		Registerer:        a.reg,
		SDMetrics:         sdMetrics,
		Appendable:        a.ruler.Tap(a.store),
		Features:          feats,
		TypeAndUnitLabels: a.opts.Web.TypeAndUnitLabels,
	})
	if err != nil {
		return err
	}
	commitHost()
	a.tracing = tracing.NewManager(a.logger.With("component", "tracing"))
	if err := a.buildGovernor(cfg); err != nil {
		return err
	}
	if err := a.buildAudit(cfg); err != nil {
		return err
	}
	if err := a.buildTrust(cfg); err != nil {
		return err
	}
	if err := a.buildWeb(feats); err != nil {
		return err
	}
	if err := a.applyRuntime(cfg.Prometheus); err != nil {
		return err
	}
	a.reloads.succeeded()
	a.parts = a.startOrder()
	return nil
}

// buildWeb builds the HTTP server, which asks all others.
func (a *App) buildWeb(feats features.Collector) (err error) {
	web := a.opts.Web
	web.Login = a.config.Load().Web
	web.TSDBDir = filepath.Join(a.opts.StoragePath, "tsdb")
	web.LookbackDelta = a.opts.Store.Query.LookbackDelta
	questions, err := a.historyRoutes()
	if err != nil {
		return err
	}
	// The scrape manager exists since it was built; there is no error.
	targets, _ := a.scraper.Get()
	a.web, err = api.New(web, api.Deps{
		Logger:        a.logger.With("component", "web"),
		Registerer:    a.reg,
		Gatherer:      newGatherer(a.reg),
		Storage:       a.store,
		Local:         a.store.Local(),
		Appendable:    a.ruler.Tap(a.store),
		AppendableV2:  a.ruler.Tap(a.store),
		Engine:        a.store.Engine(),
		Parser:        a.store.Parser(),
		Targets:       targets,
		Alertmanagers: a.intake.External(),
		Rules:         a.ruler.Manager(),
		Config:        func() promconfig.Config { return *a.config.Load().Prometheus },
		ConfigText:    func() string { return a.config.Load().Text },
		RuntimeInfo:   a.runtimeInfo,
		Features:      feats,
		Flags:         a.opts.Flags,
		Version:       a.opts.Version,
		State:         a.state,
		CheckRules:    a.checkRules,
		Alertmanager:  a.alerting.Handler(),
		UI:            ui.Handler(),
		Routes:        append(a.routes(), questions...),
		Changed:       a.requestChanged,
		Reload:        a.Reload,
		Quit:          a.quitNow,
		Ready:         a.Ready,
		Stderr:        os.Stderr,
	})
	return err
}

// startOrder lists the parts: each may use those before it, and stops before
// them. The web server comes before what takes long, to say what is waited for.
func (a *App) startOrder() []part {
	first := append([]part{
		{name: "state", run: a.state.Run, stop: 15 * time.Second},
		{name: "stream", run: a.stream.Run, stop: time.Second},
		{name: "web server", run: a.web.Run, stop: 15 * time.Second},
	}, a.governorParts()...)
	return append(append(first, []part{
		{name: "tracing", run: a.runTracing, stop: 10 * time.Second},
		{name: "storage", run: a.store.Run, ready: a.store.Ready(), stop: 2 * time.Minute},
		{name: "alerting", run: a.alerting.Run, ready: a.alerting.Ready(), stop: 30 * time.Second},
		{name: "intake", run: a.intake.Run, stop: 30 * time.Second},
		{name: "events", run: a.events.Run, stop: 10 * time.Second},
		{name: "rules", run: a.ruler.Run, stop: 20 * time.Second},
		a.connectivityPart(),
		{name: "scraper", run: a.scraper.Run, stop: 20 * time.Second},
	}...), slices.Concat(a.trustParts(), a.auditParts(), a.serviceParts)...)
}

// Run binds the web server's addresses, starts all parts and works until ctx
// ends, somebody asks us to quit, or a part fails.
func (a *App) Run(ctx context.Context) error {
	if err := a.web.Listen(); err != nil {
		a.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() {
		select {
		case <-a.quit:
			cancel()
		case <-ctx.Done():
		}
	})
	background.Go(func() { returnMemory(ctx, a.scraper.WarmedUp(), a.logger) })
	started := time.Now()
	return runParts(ctx, a.logger, a.parts, func(waiting string) {
		a.waiting.Store(&waiting)
		if waiting == "" {
			a.logger.Info("Ready", "url", a.opts.Web.ExternalURL.String(), "took", time.Since(started).Round(time.Millisecond))
		}
	})
}

// Ready returns nil when every part has started, else what is waited for.
func (a *App) Ready() error {
	part := *a.waiting.Load()
	if part == "" {
		return nil
	}
	if part != "storage" {
		return fmt.Errorf("waiting for %s", part)
	}
	wal, err := a.store.WALReplayStatus()
	if err != nil || wal.Max == 0 {
		return fmt.Errorf("waiting for storage")
	}
	return fmt.Errorf("waiting for storage: replaying write-ahead log, segment %d of %d to %d", wal.Current, wal.Min, wal.Max)
}

// lateScraper gives the store the scraper that is built after it.
type lateScraper struct{ app *App }
