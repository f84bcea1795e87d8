package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
			Summary:  "Until when the platform's data is verified, by series, and what somebody wants verified now.",
			Response: audit.Status{},
			Handler:  a.withAudit(func(*http.Request) (any, error) { return a.audit.Status(), nil }),
		},
		{
			Method:   http.MethodGet,
			Path:     "/audit/findings",
			Summary:  "What is missing or wrong in the platform's data, what was, and how to mend it; the open ones first.",
			Query:    findingParams(),
			Response: []audit.Record{},
			Handler: a.withAudit(func(r *http.Request) (any, error) {
				q, err := findingQuery(r.URL.Query())
				if err != nil {
					return nil, err
				}
				return a.audit.Find(q), nil
			}),
		},
		{
			Method:   http.MethodPost,
			Path:     "/audit/verify",
			Summary:  "Verify a stretch of a series before all else that is not new; the answer says what of it is verified, the status when it is done.",
			Request:  audit.Span{},
			Response: audit.Verification{},
			Handler: a.withAudit(func(r *http.Request) (any, error) {
				var span audit.Span
				if err := readJSON(r, &span); err != nil {
					return nil, err
				}
				v, err := a.audit.Verify(span)
				if err == nil {
					a.logger.Info("Verification asked for", "series", v.Series, "from", v.From, "to", v.To, "who", api.ActorFrom(r.Context()).Who())
				}
				return v, err
			}),
		},
	}
}

func findingParams() []api.Param {
	return []api.Param{
		{Name: "source", Description: "Only of this source."},
		{Name: "dataset", Description: "Only of klines, trades, aggTrades, userTrades or incomes."},
		{Name: "market", Description: "Only of this market."},
		{Name: "account", Description: "Only of this account."},
		{Name: "symbol", Description: "Only of this symbol, also what it shares with others."},
		{Name: "interval", Description: "Only of bars of this interval."},
		{Name: "kind", Description: "Only missing, duplicate, mismatch, extra, order, unit, late, unchecked or sum."},
		{Name: "cause", Description: "Only by the platform, exchange or archive, or unknown."},
		{Name: "state", Description: "open or closed."},
		{Name: "search", Description: "Words that must all be in what a finding says."},
		{Name: "from", Description: "Only what touches the time from here on, RFC 3339."},
		{Name: "to", Description: "Only what touches the time before, RFC 3339."},
		{Name: "limit", Description: "At most so many."},
		{Name: "offset", Description: "Leave out so many at the beginning."},
		{Name: "brief", Description: "true leaves out evidence and plans."},
	}
}

// findingQuery reads what findingParams describe.
func findingQuery(v url.Values) (q audit.Query, err error) {
	params := findingParams()
	for name := range v {
		if !slices.ContainsFunc(params, func(p api.Param) bool { return p.Name == name }) {
			return q, invalid("there is no parameter %q", name)
		}
	}
	q = audit.Query{
		Series: audit.Series{
			Source: v.Get("source"), Dataset: v.Get("dataset"), Market: v.Get("market"), Account: v.Get("account"),
			Symbol: v.Get("symbol"), Interval: audit.Interval(v.Get("interval")),
		},
		Kind: audit.Kind(v.Get("kind")), Cause: audit.Cause(v.Get("cause")), State: v.Get("state"),
		Words: strings.Fields(v.Get("search")), Brief: v.Get("brief") == "true",
	}
	if q.State != "" && q.State != audit.Open && q.State != audit.Closed {
		return q, invalid("state %q: use open or closed", q.State)
	}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := v.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return q, invalid("%s %q: use a time such as 2026-11-22T10:00:00Z", name, text)
			}
		}
	}
	for name, n := range map[string]*int{"limit": &q.Limit, "offset": &q.Offset} {
		if text := v.Get(name); text != "" {
			if *n, err = strconv.Atoi(text); err != nil || *n < 0 {
				return q, invalid("%s %q: use a number from 0", name, text)
			}
		}
	}
	return q, nil
}

func (a *App) withAudit(get func(*http.Request) (any, error)) http.Handler {
	if a.audit == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "nothing is audited; add an `audit` section to the configuration", http.StatusNotFound)
		})
	}
	return answers(get)
}

// auditStatus says what an error of the audit is to HTTP.
func auditStatus(err error) (status int, kind string, ok bool) {
	switch {
	case errors.Is(err, audit.ErrUnknownSeries):
		return http.StatusNotFound, "not_found", true
	case errors.Is(err, audit.ErrNothingThere):
		return http.StatusBadRequest, "bad_data", true
	case errors.Is(err, audit.ErrBusy):
		return http.StatusTooManyRequests, "busy", true
	}
	return 0, "", false
}
