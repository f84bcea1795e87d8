package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/drill"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/heartbeat"
	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// trust is what tells whether alerts would arrive.
type trust struct {
	start      time.Time
	canary     *drill.Canary
	drills     *drill.Drills
	heartbeats *heartbeat.Heartbeats
}

// buildCanary comes before alerting, whose configuration names it.
func (a *App) buildCanary() {
	a.trust.start = time.Now()
	a.trust.canary = drill.NewCanary(drill.CanaryDeps{
		Logger:     a.logger.With("component", "canary"),
		Registerer: a.reg,
		Put: func(ctx context.Context, alerts ...*alert.Alert) error {
			// Not by the intake, which external Alertmanagers hear too.
			return a.alerting.Put(ctx, alerts...)
		},
	})
}

// buildTrust comes after the parts that it watches.
func (a *App) buildTrust(cfg *config.Config) (err error) {
	a.trust.drills, err = drill.New(cfg.Drills, drill.Deps{
		Logger:       a.logger.With("component", "drills"),
		Registerer:   a.reg,
		Path:         filepath.Join(a.opts.StoragePath, "drills", "journal"),
		Alertmanager: a.alertmanagerConfig,
		Try:          a.tryReceiver,
		Raise:        a.raiseAbout,
	})
	if err != nil {
		return err
	}
	a.trust.heartbeats, err = heartbeat.New(cfg.Heartbeats, heartbeat.Deps{
		Logger:     a.logger.With("component", "heartbeats"),
		Registerer: a.reg,
		Path:       filepath.Join(a.opts.StoragePath, "heartbeats", "journal"),
		Send:       a.intake.Send,
		Healthy:    a.alertsArrive,
		Client:     &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
	})
	return err
}

func (a *App) trustParts() []part {
	return []part{
		{name: "canary", run: a.trust.canary.Run, stop: 10 * time.Second},
		{name: "drills", run: a.trust.drills.Run, stop: 10 * time.Second},
		{name: "heartbeats", run: a.trust.heartbeats.Run, stop: 10 * time.Second},
	}
}

// prepareTrust checks what a reload changes.
func (a *App) prepareTrust(cfg *config.Config) (commit func(), err error) {
	drills, drillsErr := a.trust.drills.Prepare(cfg.Drills)
	heartbeats, heartbeatsErr := a.trust.heartbeats.Prepare(cfg.Heartbeats)
	return func() {
		drills()
		heartbeats()
	}, errors.Join(drillsErr, heartbeatsErr)
}

// withCanary adds the canary's route and receiver. Its name is refused where
// configurations are loaded, so there is no error left.
func withCanary(c alerting.Config) alerting.Config {
	if with, err := drill.WithCanary(c.Alertmanager); err == nil {
		c.Shown, c.Alertmanager = c.Alertmanager, with
	}
	return c
}

// canarySender makes the canary the sender of its own receiver.
func (a *App) canarySender(next alerting.Senders) alerting.Senders {
	return func(r amconfig.Receiver, t *template.Template, opts ...commoncfg.HTTPClientOption) (map[string]receiver.Sender, error) {
		if r.Name == drill.CanaryReceiver {
			return map[string]receiver.Sender{drill.CanaryIntegration: a.trust.canary}, nil
		}
		if next == nil {
			return nil, nil
		}
		return next(r, t, opts...)
	}
}

// alertmanagerConfig is the configuration that runs, as its author wrote it.
func (a *App) alertmanagerConfig() *amconfig.Config {
	if c := a.config.Load().Alerting; c != nil {
		return c.Alertmanager
	}
	return alerting.DefaultConfig().Alertmanager
}

// tryReceiver puts alerting's answer into drill's words.
func (a *App) tryReceiver(ctx context.Context, name string, reason receiver.Reason, about *alert.Alert) ([]drill.Attempt, error) {
	trials, err := a.alerting.Try(ctx, name, reason, about)
	attempts := make([]drill.Attempt, 0, len(trials))
	for _, t := range trials {
		attempt := drill.Attempt{
			Integration: t.Integration,
			Delivered:   t.Err == nil,
			Seconds:     t.Took.Seconds(),
			Status:      t.Receipt.Status,
			Endpoint:    t.Receipt.Endpoint,
			Answer:      t.Receipt.Answer,
		}
		if t.Err != nil {
			attempt.Error = t.Err.Error()
		}
		attempts = append(attempts, attempt)
	}
	return attempts, err
}

// raiseAbout makes an alert of a drill an event, which lasts until it ends.
func (a *App) raiseAbout(ctx context.Context, about *alert.Alert) error {
	ev := event.Event{
		Name:        string(about.Labels["alertname"]),
		Severity:    string(about.Labels["severity"]),
		Labels:      map[string]string{},
		Annotations: map[string]string{},
	}
	ev.Key = ev.Name + "/" + string(about.Labels["receiver"])
	for name, value := range about.Labels {
		if name != "alertname" && name != "severity" {
			ev.Labels[string(name)] = string(value)
		}
	}
	for name, value := range about.Annotations {
		ev.Annotations[string(name)] = string(value)
	}
	if !about.EndsAt.IsZero() {
		_, err := a.events.Clear(ctx, ev.Key)
		if errors.Is(err, event.ErrUnknown) {
			return nil // It never fired, as after a test by hand.
		}
		return saved(err)
	}
	_, err := a.events.Raise(ctx, ev)
	return saved(err)
}

// alertsArrive says why an alert would not reach people now, or nil. A dead
// man's switch hears from us only while it is nil.
func (a *App) alertsArrive() error {
	if err := a.Ready(); err != nil {
		return err
	}
	if err := a.alerting.Healthy(); err != nil {
		return err
	}
	if err := a.rulesRun(); err != nil {
		return err
	}
	return a.trust.canary.Healthy()
}

// rulesRun returns an error if no group of rules is evaluated any more. One that
// is stuck while others run has an alert of its own.
func (a *App) rulesRun() error {
	groups := a.ruler.Manager().RuleGroups()
	for _, g := range groups {
		last := g.GetLastEvaluation()
		if last.Before(a.trust.start) {
			last = a.trust.start
		}
		if time.Since(last) < 3*g.Interval()+30*time.Second {
			return nil
		}
	}
	if len(groups) == 0 {
		return nil
	}
	return fmt.Errorf("none of %d rule groups is evaluated", len(groups))
}
