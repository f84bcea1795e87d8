// Package httpsource reads a platform's rows from an HTTP server that speaks the
// contract of docs/audit.md, "Any other database": a few lines in front of MySQL,
// ClickHouse or anything else that can select rows in the order of time.
//
// The server is trusted no further than it must be: answers are bounded, rows
// outside of what was asked for are refused, and a page that cannot be read is an
// error, never an empty page. Start with [Open] and [Source.Table].
package httpsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

const (
	// maxAnswerBytes bounds a page; 10,000 bars take some 1.5 MB.
	maxAnswerBytes = 32 << 20
	// maxPages bounds what one range may take, with the largest pages 100 million
	// rows.
	maxPages = 10_000
	// maxSeries bounds how many series one dataset may hold.
	maxSeries = 20_000
	// maxRequests is how many requests may be under way at once.
	maxRequests = 2
	maxShown    = 200
)

// Config is where a server is.
type Config struct {
	// URL is the base of the contract's paths.
	URL string `yaml:"url"`
	// HTTPConfig has authorization, TLS and proxy, as everywhere in Prometheus.
	HTTPConfig commoncfg.HTTPClientConfig `yaml:"http_config,omitempty"`
	// Timeout is what one request may take.
	Timeout model.Duration `yaml:"timeout"`
	// PageRows is the most rows that are asked for at once.
	PageRows int `yaml:"page_rows"`
}

// DefaultConfig is what a source that says nothing means.
func DefaultConfig() Config {
	return Config{HTTPConfig: commoncfg.DefaultHTTPClientConfig, Timeout: model.Duration(20 * time.Second), PageRows: 10_000}
}

// UnmarshalYAML puts the file's values over the defaults.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	return unmarshal((*plain)(c))
}

// Validate reports all that is wrong.
func (c Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		errs = append(errs, errors.New("http.url: it is no URL; it begins with http:// or https://"))
	case u.RawQuery != "" || u.Fragment != "":
		errs = append(errs, errors.New("http.url: leave out what comes after ? or #; paths are added to it"))
	case u.User != nil:
		errs = append(errs, errors.New("http.url: no user or password; use http_config.basic_auth"))
	}
	if err := c.HTTPConfig.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("http.http_config: %w", err))
	}
	if d := time.Duration(c.Timeout); d < time.Second || d > 10*time.Minute {
		errs = append(errs, fmt.Errorf("http.timeout: %s: use 1s to 10m", d))
	}
	if c.PageRows < 100 || c.PageRows > 100_000 {
		errs = append(errs, fmt.Errorf("http.page_rows: %d: use 100 to 100000", c.PageRows))
	}
	return errors.Join(errs...)
}

// Mapping says which dataset a server is asked for.
type Mapping struct {
	Dataset string
	// Table is handed to the server as it is, for one that has several.
	Table string
}

// Validate reports what is wrong.
func (m Mapping) Validate() error {
	if _, ok := shapeOf(m.Dataset); !ok {
		return fmt.Errorf("dataset %q: use klines, trades, aggTrades, userTrades or incomes", m.Dataset)
	}
	return nil
}

// Source is a server.
type Source struct {
	config Config
	client *http.Client
	slots  chan struct{}
}

// Open checks the configuration. It asks nothing yet.
func Open(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	client, err := commoncfg.NewClientFromConfig(c.HTTPConfig, "audit")
	if err != nil {
		return nil, fmt.Errorf("http.http_config: %w", err)
	}
	return &Source{config: c, client: client, slots: make(chan struct{}, maxRequests)}, nil
}

// Close gives up connections that are idle.
func (s *Source) Close() { s.client.CloseIdleConnections() }

// Table is a dataset of the server. It implements [audit.Rows].
type Table struct {
	source  *Source
	mapping Mapping
	shape   shape
	origin  audit.Series // Source, Dataset and Market of all series
}

var _ audit.Rows = (*Table)(nil)

// Table returns a dataset. Source and Market of origin become those of the series.
func (s *Source) Table(m Mapping, origin audit.Series) (*Table, error) {
	shape, ok := shapeOf(m.Dataset)
	if !ok {
		return nil, m.Validate()
	}
	origin.Dataset = m.Dataset
	return &Table{source: s, mapping: m, shape: shape, origin: origin}, nil
}

func (t *Table) query() url.Values {
	q := url.Values{"dataset": {t.mapping.Dataset}, "market": {t.origin.Market}}
	if t.mapping.Table != "" {
		q.Set("table", t.mapping.Table)
	}
	return q
}

// get asks for a page; answer must be a pointer.
func (t *Table) get(ctx context.Context, path string, q url.Values, answer any) error {
	select {
	case t.source.slots <- struct{}{}:
		defer func() { <-t.source.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	timeout := time.Duration(t.source.config.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s; raise the source's timeout, or make page_rows smaller", timeout))
	defer cancel()
	fail := func(err error) error {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return fmt.Errorf("ask the source for %s of %s: %w", path, t.mapping.Dataset, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(t.source.config.URL, "/")+"/"+path+"?"+q.Encode(), nil)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := t.source.client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	switch {
	case res.StatusCode != http.StatusOK:
		return fail(refusal(res.StatusCode, body))
	case err != nil:
		return fail(err)
	case len(body) > maxAnswerBytes:
		return fail(fmt.Errorf("the answer is longer than %d MiB; make page_rows smaller", maxAnswerBytes>>20))
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fail(fmt.Errorf("the answer is not the JSON of the contract: %w", err))
	}
	return nil
}

// refusal is what the server says is wrong.
func refusal(status int, body []byte) error {
	var said struct{ Error string }
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		return fmt.Errorf("the server answered %d %s", status, http.StatusText(status))
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, said.Error)
	return fmt.Errorf("the server answered %d: %s", status, text[:min(len(text), maxShown)])
}

// Series implements [audit.Rows].
func (t *Table) Series(ctx context.Context) ([]audit.Series, error) {
	var all []audit.Series
	seen := map[audit.Series]bool{}
	err := t.pages(func(after string) (next string, err error) {
		q := t.query()
		if after != "" {
			q.Set("after", after)
		}
		var page struct {
			Series []struct {
				Symbol   string         `json:"symbol"`
				Account  string         `json:"account"`
				Interval audit.Interval `json:"interval"`
			} `json:"series"`
			Next string `json:"next"`
		}
		if err := t.get(ctx, "series", q, &page); err != nil {
			return "", err
		}
		if page.Series == nil {
			return "", errors.New("the source's answer for series has no list called series")
		}
		for i, one := range page.Series {
			s := t.origin
			s.Symbol, s.Account, s.Interval = one.Symbol, one.Account, one.Interval
			if err := t.shape.complete(s); err != nil {
				return "", fmt.Errorf("series %d of the source: %w", i+1, err)
			}
			if !seen[s] {
				seen[s], all = true, append(all, s)
			}
		}
		if len(all) > maxSeries {
			return "", fmt.Errorf("the source lists more than %d series of %s", maxSeries, t.mapping.Dataset)
		}
		return page.Next, nil
	})
	return all, err
}

// pages calls one for each page. A cursor that comes twice would never end.
func (t *Table) pages(one func(after string) (next string, err error)) error {
	after := ""
	for range maxPages {
		next, err := one(after)
		if err != nil || next == "" {
			return err
		}
		if next == after {
			return fmt.Errorf("the source of %s gives the same page again: next is %q after %q", t.mapping.Dataset, next, after)
		}
		after = next
	}
	return fmt.Errorf("the source of %s gives more than %d pages; use larger ones", t.mapping.Dataset, maxPages)
}

// rows is a page of rows as the contract has it.
type rows struct {
	Columns []string            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
	Next    string              `json:"next"`
}

// read calls each for the rows of a range, with the columns of their page.
func (t *Table) read(ctx context.Context, s audit.Series, from, to time.Time, each func(columns []string, row []json.RawMessage) error) error {
	return t.pages(func(after string) (next string, err error) {
		q := t.query()
		q.Set("limit", strconv.Itoa(t.source.config.PageRows))
		for name, value := range map[string]string{"symbol": s.Symbol, "account": s.Account, "interval": string(s.Interval), "after": after} {
			if value != "" {
				q.Set(name, value)
			}
		}
		// Rounded up, as a bound is that lies between two milliseconds.
		if !from.IsZero() {
			q.Set("from", strconv.FormatInt((from.UnixMicro()+999)/1000, 10))
		}
		if !to.IsZero() {
			q.Set("to", strconv.FormatInt((to.UnixMicro()+999)/1000, 10))
		}
		var page rows
		if err := t.get(ctx, "rows", q, &page); err != nil {
			return "", err
		}
		if err := t.shape.check(page.Columns); err != nil {
			return "", err
		}
		if page.Rows == nil {
			return "", fmt.Errorf("the source's answer for %s has no list called rows", s)
		}
		for i, row := range page.Rows {
			if len(row) != len(page.Columns) {
				return "", fmt.Errorf("row %d of %s: it has %d values for %d columns", i+1, s, len(row), len(page.Columns))
			}
			if err := each(page.Columns, row); err != nil {
				return "", fmt.Errorf("row %d of %s: %w", i+1, s, err)
			}
		}
		return page.Next, nil
	})
}

// inside refuses rows that were not asked for: a server that ignores the bounds
// would make everything look verified.
func inside(us int64, from, to time.Time) error {
	if us < from.UnixMicro() && !from.IsZero() || us >= to.UnixMicro() && !to.IsZero() {
		return fmt.Errorf("its time %s is not in what was asked for; the server must keep to from and to", time.UnixMicro(us).UTC().Format(time.RFC3339Nano))
	}
	return nil
}

// Klines implements [audit.Rows].
func (t *Table) Klines(ctx context.Context, s audit.Series, from, to time.Time, each func(k *audit.Kline, wrongUnit bool)) error {
	var k audit.Kline
	var unit audit.Unit // Of the first row.
	return t.read(ctx, s, from, to, func(columns []string, row []json.RawMessage) error {
		k = audit.Kline{}
		wrongUnit := false
		for i, name := range columns {
			found, err := setKline(&k, name, row[i])
			switch {
			case err != nil && name == t.shape.time:
				return fmt.Errorf("%s %w", name, err) // Nobody knows where it belongs.
			case err != nil && k.Broken == "":
				k.Broken = name + " " + err.Error()
			}
			if name == t.shape.time {
				if unit == "" {
					unit = found
				}
				wrongUnit = found != unit
			}
		}
		if err := inside(k.OpenTime, from, to); err != nil {
			return err
		}
		each(&k, wrongUnit)
		return nil
	})
}

// Entries implements [audit.Rows].
func (t *Table) Entries(ctx context.Context, s audit.Series, from, to time.Time, each func(e *audit.Entry)) error {
	amounts := audit.AmountsOf(t.mapping.Dataset)
	var e audit.Entry
	return t.read(ctx, s, from, to, func(columns []string, row []json.RawMessage) error {
		e = audit.Entry{HasRange: slices.Contains(columns, "last_id")}
		for i, name := range columns {
			err := setEntry(&e, amounts, name, row[i], slices.Contains(t.shape.required, name))
			switch {
			case err != nil && name == t.shape.time:
				return fmt.Errorf("%s %w", name, err)
			case err != nil && e.Broken == "":
				e.Broken = name + " " + err.Error()
			}
		}
		if err := inside(e.Time, from, to); err != nil {
			return err
		}
		each(&e)
		return nil
	})
}
