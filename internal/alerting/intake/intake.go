// Package intake is the one door through which alerts come in, from rules and
// from events: it holds alerts that flap, adds the external labels, applies
// alert_relabel_configs, and hands every alert to the embedded Alertmanager in
// process and to the external ones of `alerting.alertmanagers`.
//
// It decides nothing about who is told; that is package alerting. Start with
// [New].
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	configutil "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/notifier"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
)

const (
	// queueCapacity and drain are Prometheus' defaults for alerts that wait for
	// an external Alertmanager.
	queueCapacity = 10000
	drain         = true
	// putTimeout bounds the hand-over in process, which waits only for memory.
	putTimeout = 10 * time.Second
)

// Deps are the parts an Intake works with.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// SDMetrics is shared by all discovery managers of the process.
	SDMetrics *discovery.SDMetrics
	// Put hands alerts to the embedded Alertmanager. Nil means there is none.
	Put func(context.Context, ...*alert.Alert) error
	// StatePath is the file for alerts that flap; "" keeps them in memory.
	StatePath string
}

// Config is what an Intake needs of the configuration file.
type Config struct {
	// Prometheus is the loaded file: external labels, relabelling, external
	// Alertmanagers.
	Prometheus *promconfig.Config
	Flapping   Flapping
}

// Intake passes alerts on.
type Intake struct {
	logger    *slog.Logger
	external  *notifier.Manager
	put       func(context.Context, ...*alert.Alert) error
	discovery *discovery.Manager
	cancelSD  context.CancelFunc
	labelling atomic.Pointer[labelling]
	flaps     *flaps
	lost      prometheus.Counter
}

// labelling is what the configuration does to the labels of every alert.
type labelling struct {
	external labels.Labels
	relabel  []*relabel.Config
}

// New builds an Intake for cfg. Nothing is sent to external Alertmanagers
// before Run.
func New(cfg Config, d Deps) (*Intake, error) {
	flaps, err := newFlaps(d.StatePath, d.Logger, d.Registerer)
	if err != nil {
		return nil, err
	}
	i := &Intake{
		flaps: flaps,
		external: notifier.NewManager(&notifier.Options{
			QueueCapacity:   queueCapacity,
			DrainOnShutdown: drain,
			Registerer:      d.Registerer,
		}, cfg.Prometheus.GlobalConfig.MetricNameValidationScheme, d.Logger),
		logger: d.Logger,
		put:    d.Put,
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_intake_failures_total",
			Help: "Alerts that the embedded Alertmanager did not take. A rule's alert comes again after the resend delay.",
		}),
	}
	if err := d.Registerer.Register(i.lost); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.discovery = discovery.NewManager(ctx, d.Logger, d.Registerer, d.SDMetrics, discovery.Name("notify"))
	if i.discovery == nil {
		cancel()
		return nil, errors.New("build discovery manager: its metrics are registered already")
	}
	i.cancelSD = cancel
	commit, err := i.Prepare(cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	commit()
	return i, nil
}

// External is what sends to external Alertmanagers; the Prometheus API asks it
// which they are.
func (i *Intake) External() *notifier.Manager { return i.external }

// Run finds external Alertmanagers and sends to them until ctx ends, then
// drains what waits for them.
func (i *Intake) Run(ctx context.Context) error {
	defer i.flaps.close()
	i.hand(ctx, i.flaps.restored())
	var running sync.WaitGroup
	running.Go(func() {
		// It ends with its own context and returns that context's error.
		_ = i.discovery.Run()
	})
	running.Go(func() { i.external.Run(i.discovery.SyncCh()) })
	<-ctx.Done()
	i.external.Stop()
	i.cancelSD()
	running.Wait()
	return nil
}

// Prepare checks what can fail in cfg and returns the function that makes it
// current.
func (i *Intake) Prepare(cfg Config) (commit func(), err error) {
	prom := cfg.Prometheus
	ams := prom.AlertingConfig.AlertmanagerConfigs.ToMap()
	sds := make(map[string]discovery.Configs, len(ams))
	var errs []error
	for name, am := range ams {
		sds[name] = am.ServiceDiscoveryConfigs
		if _, err := configutil.NewClientFromConfig(am.HTTPClientConfig, "alertmanager"); err != nil {
			errs = append(errs, fmt.Errorf("alerting.alertmanagers: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return func() {
		if err := i.external.ApplyConfig(prom); err != nil {
			i.logger.Error("External Alertmanagers applied in part", "err", err)
		}
		if err := i.discovery.ApplyConfig(sds); err != nil {
			i.logger.Error("Discovery of external Alertmanagers applied in part", "err", err)
		}
		i.flaps.set(cfg.Flapping)
		i.labelling.Store(&labelling{
			external: prom.GlobalConfig.ExternalLabels,
			relabel:  prom.AlertingConfig.AlertRelabelConfigs,
		})
	}, nil
}

// Send passes alerts on. An alert whose EndsAt has passed is resolved.
func (i *Intake) Send(ctx context.Context, alerts ...*notifier.Alert) {
	if len(alerts) == 0 {
		return
	}
	alerts, save := i.flaps.pass(alerts, time.Now())
	i.hand(ctx, alerts)
	save()
}

// Labelled returns alerts as the embedded Alertmanager would see them, less those
// that relabelling drops. It tells nobody.
func (i *Intake) Labelled(alerts ...*notifier.Alert) []*alert.Alert {
	own, _ := i.labelling.Load().alerts(alerts, time.Now())
	return own
}

// hand gives alerts to every Alertmanager.
func (i *Intake) hand(ctx context.Context, alerts []*notifier.Alert) {
	if len(alerts) == 0 {
		return
	}
	i.external.Send(strip(alerts)...)
	if i.put == nil {
		return
	}
	own, values := i.labelling.Load().alerts(alerts, time.Now())
	if len(own) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(alerting.WithValues(ctx, values), putTimeout)
	defer cancel()
	if err := i.put(ctx, own...); err != nil {
		i.lost.Add(float64(len(own)))
		i.logger.Error("Alerts not taken over", "alerts", len(own), "err", err)
	}
}

// alerts does to alerts what an Alertmanager would see after Prometheus' own
// notifier: an external label yields to one of the alert, relabelling comes
// last and may drop the alert. It returns the alerts' values beside them.
func (l *labelling) alerts(alerts []*notifier.Alert, now time.Time) ([]*alert.Alert, alerting.Values) {
	own, values := make([]*alert.Alert, 0, len(alerts)), make(alerting.Values, len(alerts))
	for i, a := range strip(alerts) {
		b := labels.NewBuilder(a.Labels)
		l.external.Range(func(ext labels.Label) {
			if a.Labels.Get(ext.Name) == "" {
				b.Set(ext.Name, ext.Value)
			}
		})
		if !relabel.ProcessBuilder(b, l.relabel...) {
			continue
		}
		out := &alert.Alert{
			Alert: model.Alert{
				Labels:       labelSet(b.Labels()),
				Annotations:  labelSet(a.Annotations),
				StartsAt:     a.StartsAt,
				EndsAt:       a.EndsAt,
				GeneratorURL: a.GeneratorURL,
			},
			UpdatedAt: now,
		}
		own = append(own, out)
		if v, err := strconv.ParseFloat(alerts[i].Annotations.Get(valueAnnotation), 64); err == nil {
			values[out.Fingerprint()] = v
		}
	}
	return own, values
}

// labelSet is ls without empty values, which mean absence.
func labelSet(ls labels.Labels) model.LabelSet {
	set := make(model.LabelSet, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Value != "" {
			set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
	})
	return set
}
