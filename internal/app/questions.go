package app

import (
	"maps"
	"net/http"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/history"
	"github.com/hedgewatch/hedgewatch/internal/history/anomaly"
	"github.com/hedgewatch/hedgewatch/internal/history/capacity"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

// historyRoutes answer questions about stored samples.
func (a *App) historyRoutes() ([]api.Route, error) {
	h, err := history.New(history.Deps{
		Engine:  a.store.Engine(),
		Storage: a.store,
		Parser:  a.store.Parser(),
		Routes:  a.alertRoutes,
	})
	if err != nil {
		return nil, err
	}
	return []api.Route{{
		Method: http.MethodPost, Path: "/backtest", Role: state.Viewer, // It changes nothing.
		Summary: "When a rule would have fired over stored samples, and how many messages that would have been.",
		Request: history.Request{}, Response: history.Result{},
		Handler: h.BacktestHandler(),
	}, {
		Method: http.MethodGet, Path: "/capacity",
		Summary: "What sizes stored use asks for: peaks, when they come, what is left at them, and what to change.",
		Query: []api.Param{
			{Name: "range", Description: "How far to look back, such as 7d, which is the default."},
			{Name: "to", Description: "End, such as 2026-05-01T12:00:00Z; now by default."},
			{Name: "margin", Description: "Share of a peak that is to be left above it; 0.2 by default."},
			{Name: "kind", Description: "Only host, workload, container, unit, process, exchange or database."},
		},
		Response: capacity.Report{},
		Handler:  capacity.New(h).Handler(),
	}, {
		Method: http.MethodGet, Path: "/anomalies",
		Summary: "When series did what they never do, by their history of four weeks.",
		Query: []api.Param{
			{Name: "expr", Description: "An instant vector.", Required: true},
			{Name: "range", Description: "How far to look back, up to 4w; 7d by default."},
			{Name: "to", Description: "End, such as 2026-05-01T12:00:00Z; now by default."},
			{Name: "step", Description: "Time between two values, 1m to 30m; 5m by default."},
		},
		Response: anomaly.Report{},
		Handler:  anomaly.New(h).Handler(),
	}}, nil
}

// alertRoutes says who is told of an alert by the running configuration.
// External labels take part; alert_relabel_configs do not.
func (a *App) alertRoutes(of map[string]string) []history.Route {
	cfg := a.config.Load()
	if cfg.Alerting == nil || cfg.Alerting.Alertmanager == nil {
		return nil
	}
	set := model.LabelSet{}
	cfg.Prometheus.GlobalConfig.ExternalLabels.Range(func(l labels.Label) { set[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	for name, value := range of {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	var routes []history.Route
	for _, r := range dispatch.NewRoute(cfg.Alerting.Alertmanager.Route, nil).Match(set) {
		group := maps.Clone(set)
		maps.DeleteFunc(group, func(name model.LabelName, _ model.LabelValue) bool {
			_, by := r.RouteOpts.GroupBy[name]
			return !by && !r.RouteOpts.GroupByAll
		})
		routes = append(routes, history.Route{
			Receiver: r.RouteOpts.Receiver, Group: r.Key() + group.String(),
			Wait: r.RouteOpts.GroupWait, Interval: r.RouteOpts.GroupInterval, Repeat: r.RouteOpts.RepeatInterval,
		})
	}
	return routes
}
