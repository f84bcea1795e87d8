package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Secret prints <secret>.
type Secret string

const hidden = "<secret>"

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// MarshalYAML implements yaml.Marshaler.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// Config of the continuous auditor.
type Config struct {
	Datasets []Dataset
	// Accounts are those whose fills and incomes are asked of the exchange.
	Accounts []Account
	// WeightPerMinute is what the audit may use of each market's request weight.
	WeightPerMinute int64
	// Witness is the subscription to bars as they close.
	Witness WitnessConfig
}

// DefaultWeightPerMinute is a tenth of what spot allows, a quarter of USDⓈ-M.
const DefaultWeightPerMinute = 600

// Account is a key of the exchange that may read one account.
type Account struct {
	// ID is the account as the tables name it.
	ID     string `yaml:"id"`
	Key    Secret `yaml:"api_key"`
	Secret Secret `yaml:"secret"`
}

// Dataset is what is watched in one table.
type Dataset struct {
	// Name tells datasets apart, in what is kept on disk.
	Name   string `yaml:"-"`
	Source string `yaml:"source"`
	// Market is spot, usdm or coinm.
	Market string `yaml:"market"`
	// Symbols and Accounts are those to watch; without any, all in the table.
	Symbols  []string `yaml:"symbols,omitempty"`
	Accounts []string `yaml:"accounts,omitempty"`
	// Grace is how long after its bar has closed, or it happened, a row may be
	// missing.
	Grace model.Duration `yaml:"grace"`
	// History is how far back rows are verified, and Every how often again.
	History model.Duration `yaml:"history"`
	Every   model.Duration `yaml:"every"`
	// LateAfter makes a finding of rows that were stored later than that; 0 does
	// not look.
	LateAfter model.Duration `yaml:"late_after,omitempty"`
	// Compare asks the exchange for what should be there.
	Compare bool `yaml:"compare"`
}

// The exchange itself is up to two seconds late with a closed bar (measured on
// futures, 2024-08), so nothing is missing before minGrace.
const (
	minGrace     = 5 * time.Second
	defaultGrace = 10 * time.Second
)

// DefaultDataset is what a dataset that says nothing means.
func DefaultDataset() Dataset {
	const days = 24 * time.Hour
	return Dataset{
		Market: "spot", Grace: model.Duration(defaultGrace), History: model.Duration(30 * days), Every: model.Duration(7 * days), Compare: true,
	}
}

// Validate reports all that is wrong.
func (d Dataset) Validate() error {
	var errs []error
	if d.Market != "spot" && d.Market != "usdm" && d.Market != "coinm" {
		errs = append(errs, fmt.Errorf("market: %q: use spot, usdm or coinm", d.Market))
	}
	if g := time.Duration(d.Grace); g < minGrace || g > time.Hour {
		errs = append(errs, fmt.Errorf("grace: %s: use 5s to 1h; the exchange itself is up to 2s late", g))
	}
	if h := time.Duration(d.History); h < time.Hour {
		errs = append(errs, fmt.Errorf("history: %s: use 1h or more", h))
	}
	if e := time.Duration(d.Every); e < time.Hour {
		errs = append(errs, fmt.Errorf("every: %s: use 1h or more", e))
	}
	return errors.Join(errs...)
}
