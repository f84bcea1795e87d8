package alerting

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	commoncfg "github.com/prometheus/common/config"
)

// plan is a configuration made ready: all that can fail has been done, nothing
// has been started.
type plan struct {
	config       *amconfig.Config
	text         string // as the API shows it
	template     *template.Template
	routes       *dispatch.Route
	receivers    map[string][]notify.Integration // those that a route uses
	integrations int
	intervener   *timeinterval.Intervener
	connections  *connections
}

// newPlan reports all errors of a configuration at once.
func newPlan(cfg Config, externalURL *url.URL, logger *slog.Logger) (*plan, error) {
	c := cfg.Alertmanager
	if c == nil || c.Route == nil {
		return nil, errNoConfig
	}
	var errs []error

	tmpl, err := template.FromGlobs(c.Templates)
	if err != nil {
		errs = append(errs, fmt.Errorf("templates: %w", err))
		// Go on with the built-in ones, to find what is wrong with receivers.
		if tmpl, err = template.FromGlobs(nil); err != nil {
			return nil, fmt.Errorf("built-in templates: %w", err)
		}
	}
	tmpl.ExternalURL = externalURL

	p := &plan{
		config:      c,
		text:        cfg.Text,
		template:    tmpl,
		routes:      dispatch.NewRoute(c.Route, nil),
		receivers:   make(map[string][]notify.Integration),
		intervener:  timeinterval.NewIntervener(timeIntervals(c)),
		connections: newConnections(),
	}
	used := make(map[string]bool)
	p.routes.Walk(func(r *dispatch.Route) { used[r.RouteOpts.Receiver] = true })
	for _, r := range c.Receivers {
		if !used[r.Name] {
			continue
		}
		integrations, err := receiver.BuildReceiverIntegrations(r, tmpl, logger, commoncfg.WithDialContextFunc(p.connections.dial))
		if err != nil {
			errs = append(errs, fmt.Errorf("receiver %q: %w", r.Name, err))
			continue
		}
		p.receivers[r.Name] = integrations
		p.integrations += len(integrations)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

func timeIntervals(c *amconfig.Config) map[string][]timeinterval.TimeInterval {
	intervals := make(map[string][]timeinterval.TimeInterval)
	for _, i := range c.MuteTimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	for _, i := range c.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	return intervals
}

// warn logs what is valid in a plan and yet surprises.
func (p *plan) warn(logger *slog.Logger) {
	p.routes.Walk(func(r *dispatch.Route) {
		if r.RouteOpts.RepeatInterval > retention {
			logger.Warn("A route's repeat_interval is longer than notifications are remembered; they repeat sooner",
				"route", r.Key(), "repeat_interval", r.RouteOpts.RepeatInterval, "remembered", retention)
		}
		if r.RouteOpts.RepeatInterval < r.RouteOpts.GroupInterval {
			logger.Warn("A route's repeat_interval is shorter than its group_interval; notifications repeat at the group_interval",
				"route", r.Key(), "repeat_interval", r.RouteOpts.RepeatInterval, "group_interval", r.RouteOpts.GroupInterval)
		}
	})
}
