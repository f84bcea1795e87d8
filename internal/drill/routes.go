package drill

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
)

// Match is one way that an alert takes.
type Match struct {
	// Route is the path of matchers from the root, as Alertmanager writes it.
	Route    string `json:"route"`
	Receiver string `json:"receiver"`
	// GroupKey identifies the group that the alert joins.
	GroupKey       string         `json:"groupKey"`
	GroupLabels    model.LabelSet `json:"groupLabels"`
	GroupWait      string         `json:"groupWait"`
	GroupInterval  string         `json:"groupInterval"`
	RepeatInterval string         `json:"repeatInterval"`
	// MuteTimeIntervals and ActiveTimeIntervals are the route's; Muted says that
	// they mute it now. Silences and inhibition are not looked at.
	MuteTimeIntervals   []string `json:"muteTimeIntervals,omitempty"`
	ActiveTimeIntervals []string `json:"activeTimeIntervals,omitempty"`
	Muted               bool     `json:"muted"`
}

// Matches says where an alert with the labels would go at a time.
func Matches(cfg *amconfig.Config, labels model.LabelSet, now time.Time) []Match {
	intervals := make(map[string][]timeinterval.TimeInterval)
	for _, i := range cfg.MuteTimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	for _, i := range cfg.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	intervener := timeinterval.NewIntervener(intervals)

	all := []Match{}
	for _, r := range dispatch.NewRoute(cfg.Route, nil).Match(labels) {
		opts := r.RouteOpts
		group := groupLabels(opts, labels)
		// Names that are not defined do not load, so there is no error.
		muted, _, _ := intervener.Mutes(opts.MuteTimeIntervals, now)
		active, _, _ := intervener.Mutes(opts.ActiveTimeIntervals, now)
		all = append(all, Match{
			Route:               r.Key(),
			Receiver:            opts.Receiver,
			GroupKey:            r.Key() + ":" + group.String(),
			GroupLabels:         group,
			GroupWait:           model.Duration(opts.GroupWait).String(),
			GroupInterval:       model.Duration(opts.GroupInterval).String(),
			RepeatInterval:      model.Duration(opts.RepeatInterval).String(),
			MuteTimeIntervals:   opts.MuteTimeIntervals,
			ActiveTimeIntervals: opts.ActiveTimeIntervals,
			Muted:               muted || len(opts.ActiveTimeIntervals) > 0 && !active,
		})
	}
	return all
}

func groupLabels(opts dispatch.RouteOpts, labels model.LabelSet) model.LabelSet {
	group := model.LabelSet{}
	for name, value := range labels {
		if _, ok := opts.GroupBy[name]; ok || opts.GroupByAll {
			group[name] = value
		}
	}
	return group
}

// Receiver is a receiver as the configuration has it.
type Receiver struct {
	Name string `json:"name"`
	// Integrations are its own, such as discord[0].
	Integrations []string `json:"integrations"`
	// Routes are the paths of the routes that lead to it.
	Routes []string `json:"routes"`
}

// Receivers lists the receivers of a configuration, by name.
func Receivers(cfg *amconfig.Config) []Receiver {
	routes := make(map[string][]string)
	dispatch.NewRoute(cfg.Route, nil).Walk(func(r *dispatch.Route) {
		routes[r.RouteOpts.Receiver] = append(routes[r.RouteOpts.Receiver], r.Key())
	})
	all := make([]Receiver, 0, len(cfg.Receivers))
	for _, r := range cfg.Receivers {
		all = append(all, Receiver{Name: r.Name, Integrations: integrations(r), Routes: append([]string{}, routes[r.Name]...)})
	}
	slices.SortFunc(all, func(a, b Receiver) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// integrations names what stands under the keys discord_configs, email_configs
// and so on, as the library does.
func integrations(r amconfig.Receiver) []string {
	names := []string{}
	for field, list := range reflect.ValueOf(r).Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		kind, ok := strings.CutSuffix(key, "_configs")
		if !ok || list.Kind() != reflect.Slice {
			continue
		}
		for i := range list.Len() {
			names = append(names, fmt.Sprintf("%s[%d]", kind, i))
		}
	}
	return names
}
