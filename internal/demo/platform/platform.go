// Package platform is the trading platform of the demo: services that sync an
// exchange's data into a database, route orders and report, each a process of its
// own, as a team would write them with the module instrument.
//
// It trades with nobody but a simulated exchange, and knows nothing of what
// watches it. Start with [Run].
package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hedgewatch/hedgewatch/instrument"
)

// ErrConfig is in errors that only another configuration ends.
var ErrConfig = errors.New("invalid configuration")

// The services.
const (
	KlineCrawler   = "kline-crawler"
	AccountCrawler = "account-crawler"
	OrderRouter    = "order-router"
	ReportingAPI   = "reporting-api"
)

// Config is what a service reads from its file.
type Config struct {
	// Listen is where it serves /metrics and its own API.
	Listen string `json:"listen"`
	// Database is the address of the database; see [OpenStore].
	Database string `json:"database"`
	// Governor is the base URL for requests to the exchange, and Exchange that for
	// when the governor is down.
	Governor string    `json:"governor"`
	Exchange string    `json:"exchange"`
	Accounts []Account `json:"accounts,omitempty"`
	// LeakBytesPerSecond is a mistake of the release that is simulated: so much
	// memory is never given back.
	LeakBytesPerSecond int `json:"leak_bytes_per_second,omitempty"`
	// BackfillForever is another one, of the kline crawler.
	BackfillForever bool `json:"backfill_forever,omitempty"`
}

// Account is one on which the platform trades.
type Account struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

// A service is what the processes have in common.
type service struct {
	name     string
	config   Config
	logger   *slog.Logger
	registry *prometheus.Registry
	routes   *http.ServeMux
	jobs     *instrument.Jobs
	sync     *instrument.Sync
	panics   *instrument.Panics
	exchange *exchange
	db       *Store
}

// kinds are the services: what each does until ctx ends, and its routes.
func kinds() map[string]func(context.Context, *service) error {
	return map[string]func(context.Context, *service) error{
		KlineCrawler: crawlKlines, AccountCrawler: crawlAccounts, OrderRouter: routeOrders, ReportingAPI: report, RowServer: serveRows,
	}
}

// Names are the names of the services.
func Names() []string { return slices.Sorted(maps.Keys(kinds())) }

// Run is the service of that name until ctx ends or it cannot go on.
func Run(ctx context.Context, name, configFile string, logger *slog.Logger) error {
	work, ok := kinds()[name]
	if !ok {
		return fmt.Errorf("%w: no service is called %q; use %s", ErrConfig, name, strings.Join(Names(), ", "))
	}
	cfg, err := readConfig(configFile)
	if err != nil {
		return err
	}
	s := &service{name: name, config: cfg, logger: logger, registry: prometheus.NewRegistry(), routes: http.NewServeMux()}
	if err := s.measure(); err != nil {
		return err
	}
	if s.db, err = OpenStore(ctx, cfg.Database); err != nil {
		return err
	}
	defer s.db.Close() // The process ends.
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("serve %s: %w", name, err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go leak(ctx, cfg.LeakBytesPerSecond) // It ends with ctx, and the process with it.
	return s.run(ctx, listener, work)
}

func readConfig(path string) (cfg Config, err error) {
	file, err := os.Open(path)
	if err != nil {
		return cfg, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer file.Close()
	d := json.NewDecoder(file)
	d.DisallowUnknownFields()
	if err := d.Decode(&cfg); err != nil {
		return cfg, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	for key, value := range map[string]string{"listen": cfg.Listen, "database": cfg.Database, "governor": cfg.Governor} {
		if value == "" {
			return cfg, fmt.Errorf("%w: %s: missing required key %q", ErrConfig, path, key)
		}
	}
	return cfg, nil
}

// measure registers what all services tell of themselves.
func (s *service) measure() (err error) {
	errs := []error{
		s.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		s.registry.Register(collectors.NewGoCollector()),
		instrument.RegisterBuildInfo(s.registry, s.name, "v1.4.2"),
	}
	s.jobs, err = instrument.NewJobs(s.registry)
	errs = append(errs, err)
	s.sync, err = instrument.NewSync(s.registry, instrument.SyncConfig{})
	errs = append(errs, err)
	s.panics, err = instrument.NewPanics(s.registry, "backfill")
	errs = append(errs, err)
	s.exchange, err = newExchange(s.registry, s.name, s.config, s.logger)
	return errors.Join(append(errs, err)...)
}

// run serves and works until one of both ends.
func (s *service) run(ctx context.Context, listener net.Listener, work func(context.Context, *service) error) error {
	s.routes.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	requests, err := instrument.NewHTTPServer(s.registry, instrument.HTTPServerConfig{Routes: []string{"GET /pnl"}})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: requests.Handler(s.routes), ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s.logger.Info("Started", "service", s.name, "address", listener.Addr().String())
	err = work(ctx, s)
	closing := server.Close() // Nobody waits for an answer of a service that has ended.
	if serving := <-served; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	return errors.Join(err, closing)
}

// repeat runs a job at once and then every so often. A job that has failed
// patience times in a row ends the service, whose supervisor starts it again.
func (s *service) repeat(ctx context.Context, task string, every time.Duration, run func(context.Context) error) error {
	const patience = 3
	job, err := s.jobs.Job(task, every)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failures := 0
	for {
		err := job.Run(ctx, run)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures = 0
		case !errors.Is(err, errDatabase):
			s.logger.Error("Job failed", "task", task, "err", err) // The exchange comes back by itself.
		default:
			s.logger.Error("Job failed", "task", task, "err", err)
			if failures++; failures == patience {
				return fmt.Errorf("give up after %d attempts: %w", patience, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// leak takes memory and never gives it back.
func leak(ctx context.Context, bytesPerSecond int) {
	const every = 100 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var kept [][]byte
	for bytesPerSecond > 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		page := make([]byte, bytesPerSecond/10)
		for i := 0; i < len(page); i += 4096 {
			page[i] = 1 // Only touched pages are memory.
		}
		kept = append(kept, page)
	}
	_ = kept
}
