package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/collector/process"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/scraper"
	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/services/docker"
	"github.com/hedgewatch/hedgewatch/internal/services/groups"
	"github.com/hedgewatch/hedgewatch/internal/services/kubernetes"
	"github.com/hedgewatch/hedgewatch/internal/services/systemd"
	"github.com/hedgewatch/hedgewatch/internal/stream"
)

// servicesJobName is the job of what is known of services.
const servicesJobName = "services"

// buildServices leaves a.services nil if the configuration watches no platform.
func (a *App) buildServices(cfg *config.Config) (err error) {
	c := cfg.Services
	if !c.Enabled() {
		return nil
	}
	logger := a.logger.With("component", "services")
	a.services, err = services.New(c.Config, services.Deps{
		Logger: logger,
		Raise:  a.raiseService,
		Clear:  a.clearService,
		Active: a.activeEvents,

		Throttling: func(ctx context.Context, k services.Key) *services.Throttling {
			return storedThrottling(ctx, a.store.Engine(), a.store, k)
		},
		Changed: a.changes(stream.Services),
	})
	if err != nil {
		return err
	}
	a.serviceParts = []part{{name: "services", run: a.services.Run, ready: a.services.Ready(), stop: 15 * time.Second}}
	watcher := func(name string, w interface{ Run(context.Context) error }, err error) error {
		if err == nil {
			a.serviceParts = append(a.serviceParts, part{name: name + " watcher", run: w.Run, stop: 10 * time.Second})
			return nil
		}
		return errors.New("services." + name + "." + err.Error())
	}
	var errs []error
	if c.Docker != nil {
		w, err := docker.New(*c.Docker, a.services, logger.With("platform", "docker"))
		errs = append(errs, watcher("docker", w, err))
	}
	if c.Systemd != nil {
		w, err := systemd.New(*c.Systemd, a.services, logger.With("platform", "systemd"))
		errs = append(errs, watcher("systemd", w, err))
	}
	if c.Kubernetes != nil {
		w, err := kubernetes.New(*c.Kubernetes, a.services, logger.With("platform", "kubernetes"))
		errs = append(errs, watcher("kubernetes", w, err))
	}
	if c.Processes != nil {
		w, err := a.watchProcesses(*c.Processes, cfg.Processes, logger.With("platform", "process"))
		errs = append(errs, watcher("processes", w, err))
	}
	reg := prometheus.NewRegistry()
	a.serviceMetrics = reg
	return errors.Join(append(errs, reg.Register(a.services.Collector()))...)
}

// watchProcesses has the groups of host.processes watched.
func (a *App) watchProcesses(c groups.Config, host process.Config, logger *slog.Logger) (w *groups.Watcher, err error) {
	if len(host.Groups) == 0 {
		return nil, errors.New("groups: host.processes has no groups; name some there")
	}
	if a.processes, err = process.NewFinder(host, logger); err != nil {
		return nil, err
	}
	return groups.New(c, func(ctx context.Context) (groups.Sight, error) {
		found, err := a.processes.Find(ctx)
		if err != nil {
			return groups.Sight{}, err
		}
		var sight groups.Sight
		for _, g := range found {
			sight.Groups = append(sight.Groups, groups.Group{Name: g.Name, Processes: g.Mains, Restarts: g.Restarts, Unknown: g.Unknown, OOM: g.OOM, OOMKnown: g.OOMKnown})
		}
		if kills, err := a.processes.OOMKills(); err == nil { // Without it, no end has a cause.
			sight.OOMKills = &kills
		}
		return sight, nil
	}, a.services)
}

func (a *App) prepareServices(cfg *config.Config) (commit func(), err error) {
	now, next := a.config.Load().Services, cfg.Services
	if !reflect.DeepEqual(now.Processes, next.Processes) || !reflect.DeepEqual(now.Docker, next.Docker) || !reflect.DeepEqual(now.Systemd, next.Systemd) || !reflect.DeepEqual(now.Kubernetes, next.Kubernetes) {
		return nil, errors.New("services: watchers cannot be changed by a reload; restart hedgewatch")
	}
	if a.services == nil {
		return func() {}, nil
	}
	commit, err = a.services.Prepare(next.Config)
	if err != nil || a.processes == nil {
		return commit, err
	}
	commitGroups, err := a.processes.Prepare(cfg.Processes)
	if err != nil {
		return nil, err
	}
	return func() {
		commit()
		commitGroups()
	}, nil
}

// serviceJobs is a job of its own, because its series say themselves which
// instance they are of.
func (a *App) serviceJobs() []scraper.Local {
	if a.services == nil {
		return nil
	}
	exported := model.LabelName(model.ExportedLabelPrefix + model.InstanceLabel)
	restore, drop := relabel.DefaultRelabelConfig, relabel.DefaultRelabelConfig
	restore.SourceLabels, restore.TargetLabel = model.LabelNames{exported}, model.InstanceLabel
	restore.Regex = relabel.MustNewRegexp("(.+)")
	drop.Action, drop.Regex = relabel.LabelDrop, relabel.MustNewRegexp(string(exported))
	return []scraper.Local{{
		Job: servicesJobName, Instance: a.opts.Instance, Gatherer: a.serviceMetrics,
		MetricRelabel: []*relabel.Config{&restore, &drop},
	}}
}

// raiseService makes an incident an event.
func (a *App) raiseService(ctx context.Context, in services.Incident) error {
	severity := "warning"
	if in.Critical {
		severity = "critical"
	}
	annotations := map[string]string{"runbook_url": "https://github.com/hedgewatch/hedgewatch/blob/main/docs/runbooks/" + in.Name + ".md"}
	for name, value := range in.Annotations {
		annotations[name] = value
	}
	_, err := a.events.Raise(ctx, event.Event{Key: in.Key, Name: in.Name, Severity: severity, Labels: in.Labels, Annotations: annotations})
	return saved(err)
}

func (a *App) clearService(ctx context.Context, key string) error {
	_, err := a.events.Clear(ctx, key)
	if errors.Is(err, event.ErrUnknown) {
		return nil // Somebody has cleared it by hand.
	}
	return saved(err)
}

func (a *App) activeEvents(ctx context.Context) (keys []string, err error) {
	list, err := a.events.List(ctx)
	for _, s := range list {
		if s.ClearedAt.IsZero() {
			keys = append(keys, s.Key)
		}
	}
	return keys, err
}

func (a *App) serviceRoutes() []api.Route {
	return []api.Route{{
		Method:   http.MethodGet,
		Path:     "/services",
		Summary:  "Services that are watched, those that fail first: state, restarts, next restart, cause and evidence.",
		Response: services.Overview{},
		Handler: answer(func() any {
			if a.services == nil {
				return services.Overview{Watchers: []services.Watching{}, Services: []services.Status{}}
			}
			return a.services.Overview()
		}),
	}}
}
