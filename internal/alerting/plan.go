package alerting

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	amreceiver "github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// plan is a configuration made ready: all that can fail has been done, nothing
// has been started.
type plan struct {
	config       *amconfig.Config
	shown        *amconfig.Config // as the API shows it
	text         string           // likewise
	template     *template.Template
	routes       *dispatch.Route
	receivers    map[string][]notify.Integration // those that a route uses
	destinations []target
	hidden       map[string]bool // receivers that are not shown
	delivery     DeliveryConfig
	intervener   *timeinterval.Intervener
	connections  *connections
}

// target is an integration with what sends to it.
type target struct {
	key    destinationKey
	sender receiver.Sender
	hidden bool // see [Config].Shown
}

// Senders builds our own senders for a receiver, by the name of the integration
// with its index, as in "discord[0]". Integrations that it leaves out are sent
// to by Alertmanager's own receivers. The options are for the senders' HTTP
// clients, whose connections end with the configuration.
type Senders func(r amconfig.Receiver, t *template.Template, opts ...commoncfg.HTTPClientOption) (map[string]receiver.Sender, error)

// newPlan reports all errors of a configuration at once.
func newPlan(cfg Config, o outfit, externalURL *url.URL, logger *slog.Logger) (*plan, error) {
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
		shown:       cmp.Or(cfg.Shown, c),
		text:        cfg.Text,
		template:    tmpl,
		routes:      dispatch.NewRoute(c.Route, nil),
		receivers:   make(map[string][]notify.Integration),
		intervener:  timeinterval.NewIntervener(timeIntervals(c)),
		connections: newConnections(),
		delivery:    cfg.delivery(),
		hidden:      make(map[string]bool),
	}
	for _, r := range c.Receivers {
		p.hidden[r.Name] = true
	}
	for _, r := range p.shown.Receivers {
		delete(p.hidden, r.Name)
	}
	errs = append(errs, p.delivery.Validate(), p.delivery.validateReceivers(c.Receivers))
	used := make(map[string]bool)
	p.routes.Walk(func(r *dispatch.Route) { used[r.RouteOpts.Receiver] = true })
	for _, r := range c.Receivers {
		if !used[r.Name] {
			continue
		}
		if err := p.addReceiver(r, o, logger); err != nil {
			errs = append(errs, fmt.Errorf("receiver %q: %w", r.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// addReceiver builds all integrations of a receiver, and what sends to each.
func (p *plan) addReceiver(r amconfig.Receiver, o outfit, logger *slog.Logger) error {
	dial := commoncfg.WithDialContextFunc(p.connections.dial)
	integrations, err := amreceiver.BuildReceiverIntegrations(r, p.template, logger, dial)
	if err != nil {
		return err
	}
	own, err := o.build(p.delivery, r, p.template, dial)
	if err != nil {
		return err
	}
	p.receivers[r.Name] = integrations
	for _, i := range integrations {
		sender := own[i.String()]
		if sender == nil {
			sender = newAdapter(i)
		}
		p.destinations = append(p.destinations, target{destinationKey{r.Name, i.Name(), i.Index()}, sender, p.hidden[r.Name]})
	}
	return nil
}

// receiversOf names the receivers that an alert's routes lead to.
func (p *plan) receiversOf(labels model.LabelSet) []string {
	var names []string
	for _, r := range p.routes.Match(labels) {
		names = append(names, r.RouteOpts.Receiver)
	}
	return names
}

// shows reports whether an alert is for people: its routes lead to a receiver
// that somebody has configured.
func (p *plan) shows(al *alert.Alert) bool {
	return slices.ContainsFunc(p.receiversOf(al.Labels), func(name string) bool { return !p.hidden[name] })
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
