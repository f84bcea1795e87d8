package app

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/alerting/intake"
	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

func intakeConfig(cfg *config.Config) intake.Config {
	return intake.Config{Prometheus: cfg.Prometheus, Flapping: cfg.Flapping}
}

func (a *App) buildEvents() (err error) {
	a.events, err = event.New(event.Deps{
		Logger:     a.logger.With("component", "events"),
		Registerer: a.reg,
		Path:       filepath.Join(a.opts.StoragePath, "events", "journal"),
		Send:       a.intake.Send,
	})
	return err
}

func (a *App) eventRoutes() []api.Route {
	return []api.Route{{
		Method:   http.MethodGet,
		Path:     "/events",
		Summary:  "Events that are active, or were until a quarter of an hour ago, the newest first.",
		Response: []event.State{},
		Handler:  http.HandlerFunc(a.events.ServeList),
	}, {
		Method:   http.MethodPost,
		Path:     "/events",
		Summary:  "Raise or clear an event, which is an alert until it is cleared or its time is over.",
		Request:  event.Post{},
		Response: event.State{},
		Handler:  http.HandlerFunc(a.events.ServePost),
	}}
}

// put hands alerts to the embedded Alertmanager, with what the ruler knows of
// their way.
func (a *App) put(ctx context.Context, alerts ...*alert.Alert) error {
	if c, known := ruler.CauseOf(ctx); known {
		ctx = alerting.WithOrigin(ctx, alerting.Origin{Sampled: c.Sampled, Committed: c.Committed, Evaluated: c.Evaluated})
	}
	return a.alerting.Put(ctx, alerts...)
}

func (a *App) observeLatency(stage string, d time.Duration) {
	a.alerting.ObserveLatency(alerting.Stage(stage), d)
}

// dataMissing is the alert for missing data of a source.
const dataMissing = "DataMissing"

// incidents turns missing data into events.
type incidents struct{ events *event.Events }

// Raise implements ruler.Incidents.
func (i incidents) Raise(ctx context.Context, in ruler.Incident) error {
	ev := event.Event{
		Key:      incidentKey(in.Source),
		Name:     dataMissing,
		Severity: in.Severity,
		Labels:   in.Source.Map(),
		Annotations: map[string]string{
			"summary":     "Data is missing",
			"description": "The alert " + in.Rule + " has had no data since " + in.Since.UTC().Format(time.RFC3339) + ". Alerts about this source may be blind.",
			"runbook_url": "https://github.com/hedgewatch/hedgewatch/blob/main/docs/rules.md#when-the-data-is-gone",
		},
	}
	if ev.Severity == "" {
		ev.Severity = "warning"
	}
	ev.Labels["missing"] = "series"
	if in.Whole {
		ev.Labels["missing"] = "everything"
	}
	if job := in.Source.Get(model.JobLabel); job != "" {
		ev.Annotations["summary"] += " from " + job + " " + in.Source.Get(model.InstanceLabel)
	}
	_, err := i.events.Raise(ctx, ev)
	return saved(err)
}

// Clear implements ruler.Incidents.
func (i incidents) Clear(ctx context.Context, source labels.Labels) error {
	_, err := i.events.Clear(ctx, incidentKey(source))
	if errors.Is(err, event.ErrUnknown) {
		return nil // Somebody has cleared it by hand.
	}
	return saved(err)
}

func incidentKey(source labels.Labels) string { return dataMissing + source.String() }

// saved drops the error that is about the disk only, because the event is
// raised; every other state on that disk says so too.
func saved(err error) error {
	if errors.Is(err, event.ErrNotSaved) {
		return nil
	}
	return err
}
