// Package ruler turns rules into alerts and recorded series: it embeds
// Prometheus' rule manager, loads rule files and the shipped rules, and hands
// what fires to one function.
//
// Groups with alerts are evaluated when a sample that can change an alert is
// committed, not only on their schedule: see runner.go. For that, samples must
// be appended through [Ruler.Tap].
//
// It does not route or notify (package alerting), and every result is that of
// Prometheus' own engine. Start with [New].
package ruler

import (
	"context"
	"io/fs"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/strutil"
)

// Config is what the ruler needs of the configuration file.
type Config struct {
	// Prometheus is the loaded file: rule_files, intervals, external labels.
	Prometheus *promconfig.Config
	// Shipped says which of the shipped rules are evaluated as well.
	Shipped Shipped
	// Settings are those of our own section of the file.
	Settings Settings
}

// Options come from flags and hold for the life of the process. Their meaning,
// and their defaults where one is given, are Prometheus'.
type Options struct {
	// OutageTolerance is how long we may have been down for the state of a
	// pending alert to be restored.
	OutageTolerance time.Duration
	// ForGracePeriod keeps a restored alert from firing sooner than that after a
	// start. Unlike Prometheus' 10 m our default is zero: it also means that an
	// alert with a shorter `for` is not restored at all.
	ForGracePeriod time.Duration
	// ResendDelay is the least time between two hand-overs of a firing alert.
	ResendDelay time.Duration
	// Lookback is how far back queries look for a series' last sample.
	Lookback time.Duration
	// MaxConcurrentEvals bounds the rules of one group that are evaluated at the
	// same time; zero means one after the other.
	MaxConcurrentEvals int64
}

// DefaultOptions are the options of a start without flags.
func DefaultOptions() Options {
	return Options{OutageTolerance: time.Hour, ResendDelay: time.Minute, Lookback: 5 * time.Minute}
}

// Deps are the parts a Ruler works with.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Features   features.Collector
	Engine     promql.QueryEngine
	Parser     parser.Parser
	// Storage answers the rules' queries and takes the recorded samples; Local
	// answers without remote storage, for the state of alerts after a restart.
	Storage storage.Storage
	Local   storage.Queryable
	// Send takes alerts over. An alert whose EndsAt has passed is resolved.
	// [CauseOf] tells of the context what made them known.
	Send func(context.Context, ...*notifier.Alert)
	// Latency, if set, is told how long the stages "scrape" and "evaluate" of
	// each change of an alert took.
	Latency func(stage string, d time.Duration)
	// Pending, if set, is told of alerts that begin to pend, and of those whose
	// condition ends before they fire. It must not wait.
	Pending func(Pending)
	// Committed, if set, is called when samples were stored. It must not wait.
	Committed func()
	// Incidents, if set, is told of missing data.
	Incidents Incidents
	// StatePath is the file for alerts that are held; "" keeps them in memory.
	StatePath string
	// ExternalURL is where links in alerts lead.
	ExternalURL *url.URL
}

// stopGrace is how long evaluations may go on after Run's context has ended.
const stopGrace = 5 * time.Second

// Ruler evaluates rule groups on their schedule and on commits.
type Ruler struct {
	logger      *slog.Logger
	manager     *rules.Manager
	loader      *loader
	externalURL string
	queryOffset atomic.Int64
	cancelEvals context.CancelFunc
	latency     func(stage string, d time.Duration)
	committed   func()
	guards      *guards
	running     atomic.Bool
	onCommit    *onCommit
	index       atomic.Pointer[index]
}

// New builds a Ruler with the groups of cfg. Nothing is evaluated before Run.
func New(cfg Config, opts Options, d Deps) (*Ruler, error) {
	evaluations := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hedgewatch_ruler_evaluations_total",
		Help: "Evaluations of rule groups, by what caused them: schedule, commit, deadline.",
	}, []string{"trigger"})
	if err := d.Registerer.Register(evaluations); err != nil {
		return nil, err
	}
	count := func(trigger string) { evaluations.WithLabelValues(trigger).Inc() }
	guards, err := newGuards(d, opts.Lookback, rules.EngineQueryFunc(d.Engine, d.Storage))
	if err != nil {
		return nil, err
	}
	evals, cancel := context.WithCancel(context.Background())
	r := &Ruler{
		logger:      d.Logger,
		loader:      newLoader(d.Parser, d.Logger),
		externalURL: d.ExternalURL.String(),
		cancelEvals: cancel,
		latency:     d.Latency,
		committed:   d.Committed,
		guards:      guards,
		onCommit:    newOnCommit(opts.Lookback, count, guards),
	}
	r.manager = rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme:   cfg.Prometheus.GlobalConfig.MetricNameValidationScheme,
		Appendable:             d.Storage,
		Queryable:              d.Local,
		QueryFunc:              guards.query,
		NotifyFunc:             r.notify(d.Send),
		Context:                evals,
		ExternalURL:            d.ExternalURL,
		Registerer:             d.Registerer,
		Logger:                 d.Logger,
		OutageTolerance:        opts.OutageTolerance,
		ForGracePeriod:         opts.ForGracePeriod,
		ResendDelay:            opts.ResendDelay,
		MaxConcurrentEvals:     opts.MaxConcurrentEvals,
		ConcurrentEvalsEnabled: opts.MaxConcurrentEvals > 0,
		GroupLoader:            r.loader,
		DefaultRuleQueryOffset: func() time.Duration { return time.Duration(r.queryOffset.Load()) },
		FeatureRegistry:        d.Features,
		Parser:                 d.Parser,
	})
	commit, err := r.Prepare(cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	commit()
	return r, nil
}

// Manager is the embedded rule manager; the Prometheus API asks it about rules
// and alerts.
func (r *Ruler) Manager() *rules.Manager { return r.manager }

// Run evaluates until ctx ends, then lets evaluations in progress finish.
func (r *Ruler) Run(ctx context.Context) error {
	r.running.Store(true)
	r.guards.clearOrphans(ctx)
	var running sync.WaitGroup
	running.Go(r.manager.Run)
	running.Go(func() { r.onCommit.run(ctx) })
	<-ctx.Done()
	giveUp := time.AfterFunc(stopGrace, r.cancelEvals)
	defer giveUp.Stop()
	r.manager.Stop()
	running.Wait()
	r.cancelEvals()
	r.guards.close()
	return nil
}

// Prepare reads and checks all rules of cfg and returns the function that makes
// them current. Groups that did not change keep their state and their schedule.
func (r *Ruler) Prepare(cfg Config) (commit func(), err error) {
	prom := cfg.Prometheus
	set, err := r.loader.read(cfg)
	if err != nil {
		return nil, err
	}
	return func() {
		r.queryOffset.Store(int64(prom.GlobalConfig.RuleQueryOffset))
		r.index.Store(r.onCommit.change(cfg.Settings, func() []*rules.Group {
			r.loader.set.Store(set)
			err := r.manager.Update(time.Duration(prom.GlobalConfig.EvaluationInterval), set.names(),
				prom.GlobalConfig.ExternalLabels, r.externalURL, r.onCommit.iterate)
			if err != nil {
				r.logger.Error("Rules not applied, the former ones go on", "err", err)
			}
			return r.manager.RuleGroups()
		}))
		// Before the start nobody could take the news.
		if r.running.Load() {
			r.guards.clearOrphans(context.Background())
		}
	}, nil
}

// notify is the manager's way out.
func (r *Ruler) notify(send func(context.Context, ...*notifier.Alert)) rules.NotifyFunc {
	return func(ctx context.Context, expr string, alerts ...*rules.Alert) {
		e := evaluationOf(ctx)
		var changed, again []*notifier.Alert
		for _, a := range alerts {
			e.annotate(expr, a)
			out := &notifier.Alert{
				Labels:       a.Labels,
				Annotations:  withValue(a),
				StartsAt:     a.FiredAt,
				EndsAt:       a.ValidUntil,
				GeneratorURL: r.externalURL + strutil.TableLinkForExpression(expr),
			}
			if !a.ResolvedAt.IsZero() {
				out.EndsAt = a.ResolvedAt
			}
			if e.changed(a) {
				changed = append(changed, out)
			} else {
				again = append(again, out)
			}
		}
		if len(changed) > 0 {
			cause := e.cause
			cause.Evaluated = time.Now()
			cause.observe(r.latency)
			send(context.WithValue(ctx, causeKey{}, cause), changed...)
		}
		if len(again) > 0 {
			send(ctx, again...)
		}
	}
}

// withValue is an alert's annotations with the value of its expression, which
// the library's form of an alert has no place for. It leaves the process with
// no alert.
func withValue(a *rules.Alert) labels.Labels {
	return labels.NewBuilder(a.Annotations).Set(valueAnnotation, strconv.FormatFloat(a.Value, 'g', -1, 64)).Labels()
}

// Shipped selects rules that come with the program.
type Shipped struct {
	// Files are rule files; nil means that no shipped rule is evaluated.
	Files fs.FS
	// Disable names alerts, recording rules or groups to leave out.
	Disable []string
}
