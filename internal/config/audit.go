package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/httpsource"
	"github.com/hedgewatch/hedgewatch/internal/audit/postgres"
	"github.com/hedgewatch/hedgewatch/internal/binance"
	repairhook "github.com/hedgewatch/hedgewatch/internal/receiver/webhook"
)

// Audit is the `audit` section: where a platform keeps its data, and what of it
// is verified.
type Audit struct {
	Sources  []AuditSource  `yaml:"sources"`
	Datasets []AuditDataset `yaml:"datasets"`
	// Accounts are keys that may read an account at the exchange.
	Accounts []audit.Account `yaml:"accounts,omitempty"`
	// ExchangeURL is where the exchange is asked; empty means the governor, or
	// without one the exchange itself.
	ExchangeURL string `yaml:"exchange_url,omitempty"`
	// WeightPerMinute is what may be used of each market's request weight.
	WeightPerMinute int64 `yaml:"weight_per_minute"`
	// Repair is where plans to mend findings are posted, nil for nowhere.
	Repair *repairhook.Endpoint `yaml:"repair,omitempty"`
	// Witness subscribes to bars as they close.
	Witness audit.WitnessConfig `yaml:"witness,omitempty"`
}

// AuditSource is a database, or a server in front of one.
type AuditSource struct {
	Name     string             `yaml:"name"`
	Postgres *postgres.Config   `yaml:"postgres,omitempty"`
	HTTP     *httpsource.Config `yaml:"http,omitempty"`
}

func (s AuditSource) validate() error {
	switch {
	case s.Name == "":
		return errors.New("name: missing; metrics and datasets use it")
	case (s.Postgres == nil) == (s.HTTP == nil):
		return errors.New("say where the rows are, by one of postgres and http")
	case s.HTTP != nil:
		return s.HTTP.Validate()
	}
	return s.Postgres.Validate()
}

// AuditDataset is a table, and how it is watched.
type AuditDataset struct {
	audit.Dataset    `yaml:",inline"`
	postgres.Mapping `yaml:",inline"`
}

// UnmarshalYAML puts the file's values over the defaults.
func (d *AuditDataset) UnmarshalYAML(unmarshal func(any) error) error {
	type plain AuditDataset
	p := plain{Dataset: audit.DefaultDataset()}
	if err := unmarshal(&p); err != nil {
		return err
	}
	*d = AuditDataset(p)
	return nil
}

// HTTP is what a server is asked for.
func (d AuditDataset) HTTP() httpsource.Mapping {
	return httpsource.Mapping{Dataset: d.Mapping.Dataset, Table: d.Table}
}

// validateHTTP refuses what describes the columns of a table: the server does that.
func (d AuditDataset) validateHTTP() error {
	if d.Preset != "" || len(d.Columns) > 0 || d.Symbol != "" || d.Account != "" || d.Interval != "" {
		return errors.New("of an http source, give dataset and table only; the server names the columns")
	}
	return d.HTTP().Validate()
}

func (l *loader) audit(n *node) {
	l.config.Audit = decode(l, n, Audit{WeightPerMinute: audit.DefaultWeightPerMinute}, Audit.validate)
	for i := range l.config.Audit.Sources {
		if p := l.config.Audit.Sources[i].Postgres; p != nil {
			l.relative(&p.DSNFile)
		}
		if h := l.config.Audit.Sources[i].HTTP; h != nil {
			h.HTTPConfig.SetDirectory(l.dir)
		}
	}
	if r := l.config.Audit.Repair; r != nil {
		l.relative(&r.URLFile)
		l.relative(&r.HMACSecretFile)
		r.HTTPConfig.SetDirectory(l.dir)
	}
}

func (a Audit) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for i, s := range a.Sources {
		if err := s.validate(); err != nil {
			fail("audit.sources[%d]: %w", i, err)
		}
	}
	for i, d := range a.Datasets {
		at := slices.IndexFunc(a.Sources, func(s AuditSource) bool { return s.Name == d.Source })
		if at < 0 {
			fail("audit.datasets[%d].source: there is no source %q", i, d.Source)
		}
		mapping := d.Mapping.Validate
		if at >= 0 && a.Sources[at].HTTP != nil {
			mapping = d.validateHTTP
		}
		if err := errors.Join(d.Dataset.Validate(), mapping()); err != nil {
			fail("audit.datasets[%d]: %w", i, err)
		}
	}
	for i, account := range a.Accounts {
		if account.ID == "" || account.Key == "" || account.Secret == "" {
			fail("audit.accounts[%d]: give id, api_key and secret", i)
		}
	}
	if a.Repair != nil {
		if err := a.Repair.Validate(); err != nil {
			fail("audit.repair: %w", err)
		}
	}
	if err := a.Witness.Validate(); err != nil {
		fail("audit.witness: %w", err)
	}
	for i, d := range a.Datasets {
		// Another exchange's bars would make every row of this one look wrong.
		if m := binance.Market(d.Market); a.Witness.Enabled && a.ExchangeURL != "" && a.Witness.StreamURLs[m] == "" {
			fail("audit.datasets[%d].market: exchange_url is set: say in audit.witness.stream_urls.%s where that exchange sends its streams", i, m)
		}
	}
	if a.WeightPerMinute < 1 || a.WeightPerMinute > 6000 {
		fail("audit.weight_per_minute: %d: use 1 to 6000", a.WeightPerMinute)
	}
	return errors.Join(errs...)
}

// Auditor is the section as the auditor takes it.
func (a Audit) Auditor() audit.Config {
	c := audit.Config{Accounts: a.Accounts, WeightPerMinute: a.WeightPerMinute, Witness: a.Witness}
	for _, d := range a.Datasets {
		one := d.Dataset
		one.Name = d.Source + "/" + d.Market + "/" + cmp.Or(d.Table, d.Preset, d.Mapping.Dataset)
		c.Datasets = append(c.Datasets, one)
	}
	return c
}

func showAudit(c *Config) any {
	if len(c.Audit.Sources) == 0 {
		return nil
	}
	return c.Audit
}
