package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/httpsource"
	"github.com/hedgewatch/hedgewatch/internal/audit/postgres"
	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/event"
	"github.com/hedgewatch/hedgewatch/internal/receiver/webhook"
	"github.com/hedgewatch/hedgewatch/internal/stream"
)

// buildAudit leaves a.audit nil if the configuration has no datasets.
func (a *App) buildAudit(cfg *config.Config) (err error) {
	if len(cfg.Audit.Datasets) == 0 {
		return nil
	}
	if err := sameExchange(cfg); err != nil {
		return err
	}
	sources, err := openSources(cfg.Audit)
	if err != nil {
		return err
	}
	a.closeAudit = sources.close
	var repair func(context.Context, string, []byte) error
	if e := cfg.Audit.Repair; e != nil {
		poster, err := webhook.NewPoster(*e)
		if err != nil {
			return fmt.Errorf("audit.repair: %w", err)
		}
		a.closeAudit = func() { sources.close(); poster.Close() }
		repair = poster.Post
	}
	a.audit, err = audit.New(cfg.Audit.Auditor(), audit.Deps{
		Logger:     a.logger.With("component", "audit"),
		Registerer: a.reg,
		Dir:        filepath.Join(a.opts.StoragePath, "audit"),
		Open: func(ctx context.Context, i int) (audit.Rows, error) {
			return sources.table(ctx, cfg.Audit.Datasets[i])
		},
		Transport: a.auditTransport(cfg),
		BaseURL:   exchangeURL(cfg),
		Changed:   a.changes(stream.Audit),
		Raise:     a.raiseFinding,
		Repair:    repair,
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

// auditSources are the places that rows are read from, by name.
type auditSources struct {
	databases map[string]*postgres.DB
	servers   map[string]*httpsource.Source
}

func openSources(cfg config.Audit) (*auditSources, error) {
	s := &auditSources{databases: map[string]*postgres.DB{}, servers: map[string]*httpsource.Source{}}
	for _, one := range cfg.Sources {
		var err error
		if one.HTTP != nil {
			s.servers[one.Name], err = httpsource.Open(*one.HTTP)
		} else {
			s.databases[one.Name], err = postgres.Open(*one.Postgres)
		}
		if err != nil {
			return nil, fmt.Errorf("audit.sources: %s: %w", one.Name, err)
		}
	}
	return s, nil
}

func (s *auditSources) close() {
	for _, db := range s.databases {
		db.Close()
	}
	for _, server := range s.servers {
		server.Close()
	}
}

// table opens a dataset. It does not return a nil *Table in an interface.
func (s *auditSources) table(ctx context.Context, d config.AuditDataset) (audit.Rows, error) {
	origin := audit.Series{Source: d.Source, Market: d.Market}
	if server := s.servers[d.Source]; server != nil {
		table, err := server.Table(d.HTTP(), origin)
		if err != nil {
			return nil, err
		}
		return table, nil
	}
	table, err := s.databases[d.Source].Table(ctx, d.Mapping, origin)
	if err != nil {
		return nil, err
	}
	return table, nil
}

// auditTransport is the governor, by which the audit keeps behind everybody else;
// without one, or to another exchange than the governor's, a way of its own.
func (a *App) auditTransport(cfg *config.Config) http.RoundTripper {
	if a.governor != nil && cfg.Audit.ExchangeURL == "" {
		return a.governor.Transport("audit", "backfill")
	}
	return &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}
}

// exchangeURL is where the exchange is. The governor's transport leaves it out, and
// goes where the governor's configuration says.
func exchangeURL(cfg *config.Config) func(market string) string {
	return func(market string) string {
		m := binance.Market(market)
		if cfg.Audit.ExchangeURL != "" {
			return cfg.Audit.ExchangeURL
		}
		if url := cfg.Governor.Exchange.Markets[m].URL; url != "" {
			return url
		}
		return m.URL()
	}
}

// sameExchange refuses a witness of another exchange than the one that is asked: every
// row would look wrong. What the section itself says was checked with it.
func sameExchange(cfg *config.Config) error {
	for _, d := range cfg.Audit.Datasets {
		m := binance.Market(d.Market)
		url := cfg.Governor.Exchange.Markets[m].URL
		if w := cfg.Audit.Witness; w.Enabled && w.StreamURLs[m] == "" && cfg.Audit.ExchangeURL == "" && url != "" && url != m.URL() {
			return fmt.Errorf("audit.witness: the market %s is at %s: say in audit.witness.stream_urls.%s where its streams are", m, url, m)
		}
	}
	return nil
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
