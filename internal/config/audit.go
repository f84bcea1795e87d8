package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/postgres"
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
}

// AuditSource is a database.
type AuditSource struct {
	Name     string           `yaml:"name"`
	Postgres *postgres.Config `yaml:"postgres,omitempty"`
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

func (l *loader) audit(n *node) {
	l.config.Audit = decode(l, n, Audit{WeightPerMinute: audit.DefaultWeightPerMinute}, Audit.validate)
	for i := range l.config.Audit.Sources {
		if p := l.config.Audit.Sources[i].Postgres; p != nil {
			l.relative(&p.DSNFile)
		}
	}
}

func (a Audit) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for i, s := range a.Sources {
		switch {
		case s.Name == "":
			fail("audit.sources[%d].name: missing; metrics and datasets use it", i)
		case s.Postgres == nil:
			fail("audit.sources[%d].postgres: missing; say where the database is", i)
		default:
			if err := s.Postgres.Validate(); err != nil {
				fail("audit.sources[%d]: %w", i, err)
			}
		}
	}
	for i, d := range a.Datasets {
		if !slices.ContainsFunc(a.Sources, func(s AuditSource) bool { return s.Name == d.Source }) {
			fail("audit.datasets[%d].source: there is no source %q", i, d.Source)
		}
		if err := errors.Join(d.Dataset.Validate(), d.Mapping.Validate()); err != nil {
			fail("audit.datasets[%d]: %w", i, err)
		}
	}
	for i, account := range a.Accounts {
		if account.ID == "" || account.Key == "" || account.Secret == "" {
			fail("audit.accounts[%d]: give id, api_key and secret", i)
		}
	}
	if a.WeightPerMinute < 1 || a.WeightPerMinute > 6000 {
		fail("audit.weight_per_minute: %d: use 1 to 6000", a.WeightPerMinute)
	}
	return errors.Join(errs...)
}

// Auditor is the section as the auditor takes it.
func (a Audit) Auditor() audit.Config {
	c := audit.Config{Accounts: a.Accounts, WeightPerMinute: a.WeightPerMinute}
	for _, d := range a.Datasets {
		one := d.Dataset
		table := d.Table
		if table == "" {
			table = d.Preset
		}
		one.Name = d.Source + "/" + d.Market + "/" + table
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
