package app

import (
	"maps"
	"net/http"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/history"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

// backtestRoutes let people try a rule on stored samples.
func (a *App) backtestRoutes() ([]api.Route, error) {
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
