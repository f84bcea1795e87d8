// Package alerting brings alerts to people: it embeds Alertmanager's routing,
// grouping, inhibition, silences, time intervals, templates and receivers, and
// its HTTP API.
//
// What it adds is memory. Silences, the notification log and the alerts whose
// end is not yet told are in a journal on disk before anybody relies on them,
// so that a crash neither loses nor repeats a notification; see [New] and
// docs/adr/0003-durable-alert-state.md. Behind the library's pipeline stands an
// outbox, which delivers and keeps a ledger; see docs/adr/0005-outbox.md. Which
// alerts there are is decided elsewhere and handed over with [Alerting.Put].
package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amapi "github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord"
)

const (
	// retention is how long ended silences and notifications are remembered;
	// Alertmanager's default.
	retention = 120 * time.Hour
	// maintenanceInterval is how often they are looked through for it.
	maintenanceInterval = 15 * time.Minute
	// alertGC is how often resolved alerts leave the API's memory.
	alertGC = 30 * time.Minute
)

// DefaultGrace suits scrape and evaluation intervals of up to a minute.
const DefaultGrace = 4*time.Minute + 30*time.Second

// Grace is the [Deps].Grace that intervals of scraping and evaluation ask for.
// An alert with a `for` clause fires again at the third evaluation after a
// restart, because its past is restored after the second; the first one needs
// a scrape to look at. Less would tell people of a recovery that is none; more
// only delays news of a true one.
func Grace(scrape, evaluation time.Duration) time.Duration {
	return scrape + 3*evaluation + 30*time.Second
}

// Deps is what Alerting needs from its surroundings.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Dir holds the journal; it is created if missing. One process at a time
	// may use it.
	Dir string
	// ExternalURL is where people reach hedgewatch: the base of links in
	// notifications.
	ExternalURL *url.URL
	// Senders may build the senders of a receiver; where it is nil, or returns
	// nil, they are those for Discord, mail and webhooks.
	Senders Senders
	Graphs  Graphs
	// Transition is called for everything that happens to an alert. It must not
	// wait; nil means that nobody keeps a history.
	Transition func(Transition)
	// Attempted is called after each entry into the delivery ledger. It must not
	// wait; nil means that nobody wants to know.
	Attempted func()
	// Grace is how long an alert that fired before a restart may stay unheard
	// of until it counts as resolved; zero is DefaultGrace.
	Grace time.Duration
}

// Alerting is an Alertmanager inside this process.
type Alerting struct {
	logger      *slog.Logger
	registerer  prometheus.Registerer
	externalURL *url.URL
	grace       time.Duration
	outfit      outfit

	outbox        *outbox
	journal       *journal
	alerts        *alerts
	silences      *silence.Silences
	silencer      *silence.Silencer
	notifications durableLog
	groupMarker   marker.GroupMarker
	acks          *acks
	calendar      *calendar

	pipelineBuilder   *notify.PipelineBuilder
	dispatcherMetrics *dispatch.DispatcherMetrics
	metrics           metrics
	api               *amapi.API
	http              http.Handler

	ready    chan struct{}
	started  atomic.Bool
	pipeline atomic.Pointer[pipeline] // nil while not running

	// swap serialises reloads with start and stop. It is held while one
	// pipeline gives way to the next; nothing on the way of an alert takes it.
	swap    sync.Mutex
	plan    *plan
	running bool
	// releasing are pipelines whose last attempts to deliver are under way.
	releasing sync.WaitGroup
	traces    traces
	trial     sync.Mutex // serialises tests of receivers that no route uses
}

// New builds an Alertmanager for cfg and loads what the last one left in
// d.Dir. It starts nothing.
func New(cfg Config, d Deps) (*Alerting, error) {
	if d.ExternalURL == nil {
		return nil, errors.New("alerting needs an external URL for the links in notifications")
	}
	outfit := outfit{senders: d.Senders, limits: discord.NewLimits(), graphs: d.Graphs}
	plan, err := newPlan(cfg, outfit, d.ExternalURL, d.Logger)
	if err != nil {
		return nil, fmt.Errorf("alertmanager configuration: %w", err)
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create directory for alert state: %w", err)
	}
	journal, err := loadJournal(filepath.Join(d.Dir, "journal"), d.Logger, d.Registerer)
	if err != nil {
		return nil, err
	}
	journal.reserve = newReserve(d.Dir, d.Logger)
	silences, err := silence.New(silence.Options{
		SnapshotReader: journal.snapshot(silencePrefix),
		Retention:      retention,
		Logger:         d.Logger.With("component", "silences"),
		Metrics:        d.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("load silences from %q: %w", journal.path, err)
	}
	silences.SetBroadcast(journal.saveSilence)
	notifications, err := nflog.New(nflog.Options{
		SnapshotReader: journal.snapshot(notificationPrefix),
		Retention:      retention,
		Logger:         d.Logger.With("component", "nflog"),
		Metrics:        d.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("load notification log from %q: %w", journal.path, err)
	}
	notifications.SetBroadcast(journal.saveNotification)

	if d.Transition == nil {
		d.Transition = func(Transition) {}
	}
	alerts, acks, durable := newAlerts(journal, d.Logger, d.Transition), newAcks(journal, d.Logger), durableLog{notifications, journal}
	outbox, err := newOutbox(d, alerts, durable, acks)
	if err != nil {
		return nil, err
	}
	outbox.journal.reserve = journal.reserve

	features := featurecontrol.NoopFlags{}
	a := &Alerting{
		logger:            d.Logger,
		registerer:        d.Registerer,
		externalURL:       d.ExternalURL,
		grace:             d.Grace,
		journal:           journal,
		outbox:            outbox,
		outfit:            outfit,
		alerts:            alerts,
		silences:          silences,
		silencer:          silence.NewSilencer(silences, d.Logger, eventrecorder.Recorder{}),
		notifications:     durable,
		groupMarker:       marker.NewGroupMarker(),
		acks:              acks,
		calendar:          newCalendar(journal, silences, d.Logger),
		pipelineBuilder:   notify.NewPipelineBuilder(d.Registerer, features, eventrecorder.Recorder{}),
		dispatcherMetrics: dispatch.NewDispatcherMetrics(false, d.Registerer, features),
		metrics:           newMetrics(d.Registerer),
		ready:             make(chan struct{}),
		plan:              plan,
		traces:            traces{logger: d.Logger},
	}
	if a.grace == 0 {
		a.grace = DefaultGrace
	}
	a.api, err = amapi.New(amapi.Options{
		Alerts:          shownAlerts{a.alerts, &a.pipeline},
		Silences:        silences,
		GroupMutedFunc:  a.groupMarker.Muted,
		Logger:          d.Logger.With("component", "api"),
		Registry:        d.Registerer,
		RequestDuration: a.metrics.requestDuration,
		GroupFunc:       a.groups,
	})
	if err != nil {
		return nil, fmt.Errorf("build Alertmanager API: %w", err)
	}
	a.http = a.handler(a.api)
	return a, nil
}

// Run works until ctx ends, then lets notifications that are on their way
// arrive, within bounds, and writes the last changes to disk.
func (a *Alerting) Run(ctx context.Context) error {
	if !a.started.CompareAndSwap(false, true) {
		return errors.New("alerting runs already, or has run; build a new one")
	}
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer end()

	var err error
	a.alerts.mem, err = mem.NewAlerts(alive, alertGC, 0, storeCallback{a.silencer, a.alerts}, a.logger,
		eventrecorder.Recorder{}, a.registerer, featurecontrol.NoopFlags{})
	if err != nil {
		return fmt.Errorf("build alert provider: %w", err)
	}
	a.restore(alive)
	background.Go(func() { a.journal.run(alive) })
	background.Go(func() { a.outbox.run(alive) })
	background.Go(func() { a.silences.Maintenance(maintenanceInterval, "", alive.Done(), nil) })
	background.Go(func() { a.notifications.log.Maintenance(maintenanceInterval, "", alive.Done(), nil) })
	background.Go(func() { a.maintain(alive) })
	background.Go(func() { a.calendar.run(alive) })

	a.swap.Lock()
	a.running = true
	a.use(a.plan)
	a.swap.Unlock()
	close(a.ready)
	background.Go(func() { newWatch(a.outbox, a.Put, a.receiversOf).run(ctx) })

	<-ctx.Done()

	a.swap.Lock()
	defer a.swap.Unlock()
	a.running = false
	line := a.pipeline.Swap(nil)
	line.stop(a.logger)
	a.releasing.Go(line.release)
	if a.outbox.end() {
		a.releasing.Wait()
	} else {
		a.logger.Error("A destination does not end its attempt and is left alone with it")
	}
	a.alerts.stop()
	a.traces.stop()
	return nil
}

func (a *Alerting) restore(ctx context.Context) {
	firing, resolved, err := a.alerts.restore(ctx, a.grace, a.outbox.waiting())
	if err != nil {
		a.logger.Error("Some alerts of before the restart are forgotten", "err", err)
	}
	if firing+resolved > 0 {
		a.logger.Info("Took up alerts of before the restart", "firing", firing, "resolved_untold", resolved, "grace", a.grace)
	}
}

func (a *Alerting) maintain(ctx context.Context) {
	t := time.NewTicker(maintenanceInterval)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			a.alerts.forgetExpired(now)
			a.alerts.origins.forgetOld(now)
			if line := a.pipeline.Load(); line != nil {
				a.outbox.ledger.trim(now, line.plan.delivery.Ledger)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Ready is closed once alerts are accepted and dispatched.
func (a *Alerting) Ready() <-chan struct{} { return a.ready }

// Prepare does all of a change to cfg that can fail. The commit it returns puts
// cfg into force, at once or when Run starts, and returns when that is done.
func (a *Alerting) Prepare(cfg Config) (commit func(), err error) {
	p, err := newPlan(cfg, a.outfit, a.externalURL, a.logger)
	if err != nil {
		a.metrics.reloadOK.Set(0)
		return nil, fmt.Errorf("alertmanager configuration: %w", err)
	}
	return func() {
		a.swap.Lock()
		defer a.swap.Unlock()
		a.plan = p
		if !a.running {
			return
		}
		before := a.pipeline.Load()
		before.stop(a.logger)
		a.use(p)
		// A destination that hangs does not hold up a reload.
		a.releasing.Go(before.release)
	}, nil
}

// use puts p to work, under swap.
func (a *Alerting) use(p *plan) {
	p.warn(a.logger)
	a.traces.apply(p.config.TracingConfig)
	a.pipeline.Store(a.startPipeline(p))
	a.metrics.applied(p)
}

// Put hands alerts over. It waits until alerting is ready and for other calls,
// no longer than ctx allows. Valid alerts are accepted even where others are
// not; the error names those. The alerts' maps must not change any more.
//
// The caller repeats each alert while it fires. An alert without EndsAt counts
// as resolved when it is not repeated within the configured resolve_timeout.
func (a *Alerting) Put(ctx context.Context, alerts ...*alert.Alert) error {
	return a.put(ctx, true, alerts)
}

func (a *Alerting) put(ctx context.Context, resent bool, alerts []*alert.Alert) error {
	select {
	case <-a.ready:
	case <-ctx.Done():
		return fmt.Errorf("wait for alerting to start: %w", ctx.Err())
	}
	line := a.pipeline.Load()
	if line == nil {
		return errStopped
	}
	now := time.Now()
	resolveTimeout := time.Duration(line.plan.config.Global.ResolveTimeout)
	valid := make([]*alert.Alert, 0, len(alerts))
	var errs []error
	for _, al := range alerts {
		al = complete(al, now, resolveTimeout)
		if err := al.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("alert %s: %w", al.Labels, err))
			continue
		}
		valid = append(valid, al)
	}
	return errors.Join(append(errs, a.alerts.put(ctx, resent, valid...))...)
}

// PutDurable hands over alerts that are sent only once, such as events, and
// returns when they survive a crash. Where the disk refuses, its error says so:
// the alerts are in force all the same.
func (a *Alerting) PutDurable(ctx context.Context, alerts ...*alert.Alert) error {
	errs := []error{a.put(ctx, false, alerts)}
	if err := a.journal.awaitDisk(ctx); err != nil {
		errs = append(errs, fmt.Errorf("alerts are in memory only: %w", err))
	}
	return errors.Join(errs...)
}

// receiversOf names the receivers that an alert is routed to.
func (a *Alerting) receiversOf(labels model.LabelSet) []string {
	if line := a.pipeline.Load(); line != nil {
		return line.plan.receiversOf(labels)
	}
	return nil
}

// complete returns a copy of al with everything that the API would fill in.
func complete(al *alert.Alert, now time.Time, resolveTimeout time.Duration) *alert.Alert {
	c := *al
	c.Labels = make(model.LabelSet, len(al.Labels))
	for name, value := range al.Labels {
		if value != "" { // the same as having no such label
			c.Labels[name] = value
		}
	}
	if c.UpdatedAt.IsZero() {
		c.UpdatedAt = now
	}
	if c.StartsAt.IsZero() {
		c.StartsAt = now
		if !c.EndsAt.IsZero() {
			c.StartsAt = c.EndsAt
		}
	}
	if c.EndsAt.IsZero() {
		c.Timeout = true
		c.EndsAt = now.Add(resolveTimeout)
	}
	return &c
}

// Handler serves the Alertmanager v2 API under /api/v2/.
func (a *Alerting) Handler() http.Handler { return a.http }

func (a *Alerting) groups(ctx context.Context, routes func(*dispatch.Route) bool, alerts func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
	line := a.pipeline.Load()
	if line == nil {
		return nil, nil, errStopped
	}
	shown := func(al *alert.Alert, now time.Time) bool { return alerts(al, now) && line.plan.shows(al) }
	return line.dispatcher.Groups(ctx, routes, shown)
}
