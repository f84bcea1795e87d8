package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/prometheus/config"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/scraper"
	"github.com/hedgewatch/hedgewatch/internal/stream"
)

// Reload reads the configuration again and makes it current, all or nothing:
// every part prepares before any part changes.
func (a *App) Reload(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	started := time.Now()
	if err := a.reload(); err != nil {
		a.reloads.failed()
		a.logger.Error("Configuration not reloaded, the running one goes on", "file", a.opts.ConfigFile, "err", err)
		return fmt.Errorf("configuration not reloaded: %w", err)
	}
	a.reloads.succeeded()
	a.stream.Changed(stream.Configuration)
	a.logger.Info("Configuration reloaded", "file", a.opts.ConfigFile, "took", time.Since(started).Round(time.Millisecond))
	return nil
}

func (a *App) reload() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	locals, commitHost, err := a.locals(cfg)
	if err != nil {
		return err
	}
	var commits []func()
	var errs []error
	for _, prepare := range []func() (func(), error){
		func() (func(), error) { return a.web.Prepare(cfg.Web) },
		func() (func(), error) { return a.store.Prepare(cfg.Prometheus) },
		func() (func(), error) { return a.alerting.Prepare(alertingConfig(cfg)) },
		func() (func(), error) { return a.intake.Prepare(intakeConfig(cfg)) },
		func() (func(), error) { return a.prepareGovernor(cfg) },
		func() (func(), error) { return a.connectivity.Prepare(cfg.Connectivity) },
		func() (func(), error) { return a.prepareAudit(cfg) },
		func() (func(), error) { return a.prepareTrust(cfg) },
		func() (func(), error) { return a.prepareServices(cfg) },
		func() (func(), error) { return a.ruler.Prepare(a.rulerConfig(cfg)) },
		func() (func(), error) {
			return a.scraper.Prepare(scraper.Config{Prometheus: cfg.Prometheus, Locals: locals})
		},
	} {
		commit, err := prepare()
		commits, errs = append(commits, commit), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// The last thing that can fail changes something: it comes right before the
	// rest does.
	if err := a.applyRuntime(cfg.Prometheus); err != nil {
		return err
	}
	a.config.Store(cfg)
	a.state.Configure(cfg.State)
	a.warn(cfg)
	commitHost()
	for _, commit := range commits {
		commit()
	}
	return nil
}

// applyRuntime makes the process-wide settings current.
func (a *App) applyRuntime(prom *promconfig.Config) error {
	if err := a.tracing.ApplyConfig(prom); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	if set := a.opts.SetLogLevel; set != nil {
		if err := set(string(prom.Runtime.LogLevel)); err != nil {
			return fmt.Errorf("runtime.log_level: %w", err)
		}
	}
	if set := a.opts.SetGCPercent; set != nil {
		set(prom.Runtime.GoGC)
	}
	return nil
}

// runTracing sends spans until ctx ends, if the file asks for it.
func (a *App) runTracing(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.tracing.Run()
	}()
	<-ctx.Done()
	a.tracing.Stop()
	<-done
	return nil
}

func alertingConfig(cfg *config.Config) alerting.Config {
	c := alerting.DefaultConfig()
	if cfg.Alerting != nil {
		c = *cfg.Alerting
	}
	c.Delivery = &cfg.Delivery
	return withCanary(c)
}

// grace is how long an alert of before a restart may stay unheard of.
func grace(global promconfig.GlobalConfig) time.Duration {
	return alerting.Grace(time.Duration(global.ScrapeInterval), time.Duration(global.EvaluationInterval))
}

// reloads remembers how the last reload went, and exports it under the names
// that Prometheus' mixin knows.
type reloads struct {
	successful prometheus.Gauge
	timestamp  prometheus.Gauge
	last       atomic.Pointer[lastReload]
}

type lastReload struct {
	ok bool
	// success is when a configuration was last made current.
	success time.Time
}

func newReloads(reg prometheus.Registerer) *reloads {
	r := &reloads{
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "prometheus_config_last_reload_successful",
			Help: "Whether the last configuration reload attempt was successful.",
		}),
		timestamp: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "prometheus_config_last_reload_success_timestamp_seconds",
			Help: "Timestamp of the last successful configuration reload.",
		}),
	}
	r.last.Store(&lastReload{})
	reg.MustRegister(r.successful, r.timestamp)
	return r
}

func (r *reloads) succeeded() {
	now := time.Now()
	r.last.Store(&lastReload{ok: true, success: now})
	r.successful.Set(1)
	r.timestamp.Set(float64(now.UnixMilli()) / 1000)
}

func (r *reloads) failed() {
	r.last.Store(&lastReload{success: r.last.Load().success})
	r.successful.Set(0)
}
