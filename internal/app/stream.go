package app

import (
	"net/http"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/stream"
)

// changes returns what a part calls when something of the topics has changed.
func (a *App) changes(topics stream.Topic) func() {
	return func() { a.stream.Changed(topics) }
}

// changedBy says which topics a request changes, by the beginning of its path.
func changedBy(path string) (topics stream.Topic) {
	for _, c := range []struct {
		prefix string
		topics stream.Topic
	}{
		{"/api/v2/silence", stream.Silences | stream.Alerts},
		{"/api/v2/alerts", stream.Alerts},
		{"/api/hw/v1/calendar-silences", stream.Silences | stream.Alerts},
		{"/api/hw/v1/alerts/", stream.Alerts},
		{"/api/hw/v1/events", stream.Alerts},
		{"/api/hw/v1/rules", stream.Rules | stream.Alerts},
		{"/api/hw/v1/rule-files", stream.Rules | stream.Alerts},
		{"/api/hw/v1/dashboards", stream.Dashboards},
		{"/api/hw/v1/receivers/", stream.Deliveries},
	} {
		if strings.HasPrefix(strings.TrimPrefix(path, "/alertmanager"), c.prefix) {
			topics |= c.topics
		}
	}
	return topics
}

func (a *App) requestChanged(path string) {
	if topics := changedBy(path); topics != 0 {
		a.stream.Changed(topics)
	}
}

func (a *App) streamRoutes() []api.Route {
	return []api.Route{{
		Method:      http.MethodGet,
		Path:        "/stream",
		Summary:     "Server-sent events that say which things have changed, so that a page asks again.",
		BeforeReady: true,
		Endless:     true,
		Handler:     a.stream,
	}}
}
