package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/governor"
	"github.com/hedgewatch/hedgewatch/internal/stream"
)

// buildGovernor leaves a.governor nil if the configuration has none.
func (a *App) buildGovernor(cfg *config.Config) (err error) {
	if !cfg.Governor.Enabled {
		return nil
	}
	a.governor, err = governor.New(cfg.Governor, governor.Deps{
		Logger:     a.logger.With("component", "governor"),
		Registerer: a.reg,
		Dir:        filepath.Join(a.opts.StoragePath, "governor"),
		Ban:        a.raiseBan,
		Changed:    a.changes(stream.Governor),
	})
	return err
}

// governorParts start before the storage, whose start can take long: services must
// reach the exchange meanwhile.
func (a *App) governorParts() []part {
	if a.governor == nil {
		return nil
	}
	return []part{{name: "governor", run: a.governor.Run, stop: 20 * time.Second}}
}

func (a *App) prepareGovernor(cfg *config.Config) (commit func(), err error) {
	switch {
	case (a.governor != nil) != cfg.Governor.Enabled:
		return nil, errors.New("governor: cannot be added or removed by a reload; restart hedgewatch")
	case a.governor == nil:
		return func() {}, nil
	}
	return a.governor.Prepare(cfg.Governor)
}

// raiseBan pages at once. The shipped rule of the same name sees the ban with the
// next scrape. Both have the same labels, and so are one alert.
func (a *App) raiseBan(ctx context.Context, b governor.BanEvent) {
	_, err := a.events.Raise(ctx, event.Event{
		Key:      fmt.Sprintf("binance-ban/%s/%s", b.Market, b.Egress),
		Name:     "BinanceBanned",
		Severity: "critical",
		Labels: map[string]string{
			"job": selfJobName, "instance": a.self.instance, "market": string(b.Market), "egress": b.Egress,
		},
		Annotations: map[string]string{
			"summary": fmt.Sprintf("Binance refuses requests to %s from %s until %s.", b.Market, b.Egress, b.Until.UTC().Format("15:04:05 MST")),
			"description": fmt.Sprintf("The request of client %s to %s was refused (%s). It is ban %d in three days. The governor answers by itself until the ban ends.",
				b.Client, b.Endpoint, b.Kind, b.Count),
			"runbook_url": "https://github.com/hedgewatch/hedgewatch/blob/main/docs/runbooks/BinanceBanned.md",
		},
		Until: b.Until,
	})
	if err != nil {
		a.logger.Error("Ban not raised as an alert", "market", b.Market, "egress", b.Egress, "err", err)
	}
}

func (a *App) governorRoutes() []api.Route {
	return []api.Route{
		{
			Method:      http.MethodGet,
			Path:        "/governor/status",
			Summary:     "What is used of the exchange's limits, by whom, and where that leads.",
			Response:    governor.Status{},
			BeforeReady: true,
			Handler:     a.withGovernor(func(g *governor.Governor) http.Handler { return answer(func() any { return g.Status() }) }),
		},
		{
			Method:  http.MethodGet,
			Path:    "/governor/whatif",
			Summary: "Which share of its requests backfill would have had to give up in the last hour.",
			Query: []api.Param{
				{Name: "market", Description: "spot, usdm or coinm; spot if it is missing."},
				{Name: "growth", Description: "What everybody else's requests are multiplied by; 1 if it is missing."},
			},
			Response:    governor.WhatIfAnswer{},
			BeforeReady: true,
			Handler:     a.withGovernor(whatIf),
		},
		{
			Method:      http.MethodPost,
			Path:        "/governor/observed",
			Summary:     "Reports answers of the exchange that did not pass the governor.",
			Request:     []governor.Observed{},
			BeforeReady: true,
			Handler:     a.withGovernor(func(g *governor.Governor) http.Handler { return g.ObservedHandler() }),
		},
	}
}

func (a *App) withGovernor(handler func(*governor.Governor) http.Handler) http.Handler {
	if a.governor == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "there is no governor; add a `governor` section to the configuration", http.StatusNotFound)
		})
	}
	return handler(a.governor)
}

func whatIf(g *governor.Governor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := governor.WhatIf{Market: binance.Spot, Growth: 1}
		if m := r.FormValue("market"); m != "" {
			q.Market = binance.Market(m)
		}
		growth, err := 1.0, error(nil)
		if text := r.FormValue("growth"); text != "" {
			growth, err = strconv.ParseFloat(text, 64)
		}
		if err != nil || !(growth >= 0 && growth <= 1000) || q.Market.TimePath() == "" {
			http.Error(w, "market: use spot, usdm or coinm; growth: use a number from 0 to 1000", http.StatusBadRequest)
			return
		}
		q.Growth = growth
		answer(func() any { return g.WhatIf(q) }).ServeHTTP(w, r)
	})
}
