package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/collector/connectivity"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/scraper"
)

// connectivityJob is the job of what is measured of the exchange.
const connectivityJob = "binance"

// buildConnectivity builds the collector even without a section, which a reload may
// add.
func (a *App) buildConnectivity(cfg *config.Config) (err error) {
	a.connectivity, err = connectivity.New(cfg.Connectivity, connectivity.Deps{
		Logger:    a.logger.With("component", "connectivity"),
		Transport: exchangeTransport{a},
		Changed:   a.raiseExchangeChanges,
	})
	return err
}

func (a *App) connectivityPart() part {
	return part{name: "connectivity", run: a.connectivity.Run, stop: 15 * time.Second}
}

// connectivityLocal is nil without the section.
func (a *App) connectivityLocal(cfg *config.Config) (*scraper.Local, error) {
	if !cfg.Connectivity.Enabled {
		return nil, nil
	}
	reg := prometheus.NewRegistry()
	if err := reg.Register(a.connectivity); err != nil {
		return nil, err
	}
	return &scraper.Local{Job: connectivityJob, Instance: a.opts.Instance, Gatherer: reg}, nil
}

// exchangeTransport is the governor, which keeps the limits, or the way of its own
// if there is none.
type exchangeTransport struct{ app *App }

// RoundTrip implements http.RoundTripper.
func (t exchangeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if g := t.app.governor; g != nil {
		// Ahead of market data: what waits in a queue says little of the exchange.
		return g.Transport("hedgewatch", "account").RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// exchangeChangeLasts is how long an event about a changed limit is active.
const exchangeChangeLasts = time.Hour

// raiseExchangeChanges tells of limits that changed. Symbols have a rule.
func (a *App) raiseExchangeChanges(ctx context.Context, changes []connectivity.Change) {
	for _, c := range changes {
		if !c.IsLimit() {
			continue
		}
		_, err := a.events.Raise(ctx, event.Event{
			Key:      fmt.Sprintf("binance-limit/%s/%s", c.Market, c.What),
			Name:     "BinanceLimitChanged",
			Severity: "warning",
			Labels:   map[string]string{"market": string(c.Market), "limit": c.What},
			Annotations: map[string]string{
				"summary":     fmt.Sprintf("%s allows %s of %s, and not %s as before.", c.Market, c.To, c.What, c.From),
				"runbook_url": "https://github.com/hedgewatch/hedgewatch/blob/main/docs/connectivity.md#limits-that-change",
			},
			Until: time.Now().Add(exchangeChangeLasts),
		})
		if err != nil {
			a.logger.Error("Changed limit not raised as an alert", "market", c.Market, "limit", c.What, "err", err)
		}
	}
}
