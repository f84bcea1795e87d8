package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/postgres"
	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
)

// buildAudit leaves a.audit nil if the configuration has no datasets.
func (a *App) buildAudit(cfg *config.Config) (err error) {
	if len(cfg.Audit.Datasets) == 0 {
		return nil
	}
	databases := map[string]*postgres.DB{}
	for _, s := range cfg.Audit.Sources {
		if databases[s.Name], err = postgres.Open(*s.Postgres); err != nil {
			return fmt.Errorf("audit.sources: %s: %w", s.Name, err)
		}
	}
	a.closeAudit = func() {
		for _, db := range databases {
			db.Close()
		}
	}
	a.audit, err = audit.New(cfg.Audit.Auditor(), audit.Deps{
		Logger:     a.logger.With("component", "audit"),
		Registerer: a.reg,
		Dir:        filepath.Join(a.opts.StoragePath, "audit"),
		Open: func(ctx context.Context, i int) (audit.Rows, error) {
			d := cfg.Audit.Datasets[i]
			table, err := databases[d.Source].Table(ctx, d.Mapping, audit.Series{Source: d.Source, Market: d.Market})
			if err != nil {
				return nil, err // Not a nil *Table in an interface.
			}
			return table, nil
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second},
		BaseURL:   exchangeURL(cfg),
		Raise:     a.raiseFinding,
		Clear: func(ctx context.Context, key string) error {
			_, err := a.events.Clear(ctx, key)
			if errors.Is(err, event.ErrUnknown) {
				return nil // Somebody has cleared it by hand.
			}
			return saved(err)
		},
	})
	return err
}

// exchangeURL sends requests through the governor if there is one that lets
// anybody in.
func exchangeURL(cfg *config.Config) func(market string) string {
	g := cfg.Governor
	return func(market string) string {
		m := binance.Market(market)
		switch {
		case cfg.Audit.ExchangeURL != "":
			return cfg.Audit.ExchangeURL
		case g.Enabled && g.TLS.CertFile == "" && len(g.Clients) == 0:
			return "http://" + reachable(g.Listen)
		case g.Exchange.Markets[m].URL != "":
			return g.Exchange.Markets[m].URL
		}
		return m.URL()
	}
}

// reachable is the address of a listener for somebody on this host.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// raiseFinding tells of missing or wrong rows at once; the shipped rule of the
// same name sees them with the next scrape.
func (a *App) raiseFinding(ctx context.Context, al audit.Alarm) error {
	name, what := "AuditRowsWrong", "wrong"
	if al.Kind == audit.Missing {
		name, what = "AuditRowsMissing", "missing"
	}
	_, err := a.events.Raise(ctx, event.Event{
		Key:      al.Key,
		Name:     name,
		Severity: "critical",
		Labels:   map[string]string{"source": al.Dataset.Source, "dataset": al.Dataset.Dataset, "market": al.Dataset.Market},
		Annotations: map[string]string{
			"summary":     fmt.Sprintf("%d rows of %s in %s are %s.", al.Rows, al.Dataset.Dataset, al.Dataset.Source, what),
			"description": "For example " + al.Example.String() + ".",
			"runbook_url": "https://github.com/hedgewatch/hedgewatch/blob/main/docs/runbooks/" + name + ".md",
		},
	})
	return saved(err)
}

func (a *App) auditParts() []part {
	if a.audit == nil {
		return nil
	}
	return []part{{name: "audit", stop: 15 * time.Second, run: func(ctx context.Context) error {
		defer a.closeAudit()
		return a.audit.Run(ctx)
	}}}
}

func (a *App) prepareAudit(cfg *config.Config) (commit func(), err error) {
	if !reflect.DeepEqual(a.config.Load().Audit, cfg.Audit) {
		return nil, errors.New("audit: cannot be changed by a reload; restart hedgewatch, the audit goes on where it was")
	}
	return func() {}, nil
}

func (a *App) auditRoutes() []api.Route {
	return []api.Route{
		{
			Method:   http.MethodGet,
			Path:     "/audit/status",
			Summary:  "Until when the platform's data is verified, by series.",
			Response: audit.Status{},
			Handler:  a.withAudit(func(au *audit.Auditor) any { return au.Status() }),
		},
		{
			Method:   http.MethodGet,
			Path:     "/audit/findings",
			Summary:  "What is missing or wrong in the platform's data, what was, and how to mend it; the open ones first.",
			Response: []audit.Record{},
			Handler:  a.withAudit(func(au *audit.Auditor) any { return au.Findings() }),
		},
	}
}

func (a *App) withAudit(get func(*audit.Auditor) any) http.Handler {
	if a.audit == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "nothing is audited; add an `audit` section to the configuration", http.StatusNotFound)
		})
	}
	return answer(func() any { return get(a.audit) })
}
