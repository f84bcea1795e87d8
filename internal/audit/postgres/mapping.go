package postgres

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Mapping says in which table and columns a dataset is.
type Mapping struct {
	// Preset names a shape that is known; see [Presets]. What else is set here
	// goes over it.
	Preset  string `yaml:"preset,omitempty" json:"preset,omitempty"`
	Dataset string `yaml:"dataset,omitempty" json:"dataset,omitempty"`
	// Table is the table's name, with its schema if that is not in the path.
	Table string `yaml:"table,omitempty" json:"table,omitempty"`
	// Columns has the column of each field.
	Columns map[string]string `yaml:"columns,omitempty" json:"columns,omitempty"`
	// Symbol, Account and Interval are those of all rows, where no column says.
	Symbol   string         `yaml:"symbol,omitempty" json:"symbol,omitempty"`
	Account  string         `yaml:"account,omitempty" json:"account,omitempty"`
	Interval audit.Interval `yaml:"interval,omitempty" json:"interval,omitempty"`
}

// The fields that select rows; the others have values.
const (
	fieldSymbol   = "symbol"
	fieldAccount  = "account"
	fieldInterval = "interval"
	fieldID       = "id"
	fieldType     = "type"
	fieldCreated  = "created_at"
)

// shape is what a dataset's rows consist of.
type shape struct {
	keys     []string // what tells series apart
	required []string
	optional []string
	// time is the field that orders rows.
	time string
}

func shapeOf(dataset string) (shape, bool) {
	switch dataset {
	case audit.Klines:
		return shape{
			keys:     []string{fieldSymbol, fieldInterval},
			required: []string{"open_time", "open", "high", "low", "close", "volume"},
			optional: []string{"close_time", "quote_volume", "trades", "taker_base", "taker_quote", "first_id", "last_id", fieldCreated},
			time:     "open_time",
		}, true
	case audit.Trades:
		return shape{
			keys: []string{fieldSymbol}, required: []string{"time", fieldID, "price", "quantity"},
			optional: []string{"quote_quantity", fieldCreated}, time: "time",
		}, true
	case audit.AggTrades:
		return shape{
			keys: []string{fieldSymbol}, required: []string{"time", fieldID, "price", "quantity"},
			optional: []string{"first_id", "last_id", fieldCreated}, time: "time",
		}, true
	case audit.UserTrades:
		return shape{
			keys: []string{fieldAccount, fieldSymbol}, required: []string{"time", fieldID, "price", "quantity"},
			optional: []string{"quote_quantity", "commission", "commission_asset", "realized_pnl", fieldCreated}, time: "time",
		}, true
	case audit.Incomes:
		return shape{
			keys: []string{fieldAccount}, required: []string{"time", fieldID, fieldType, "income"},
			optional: []string{"asset", fieldCreated}, time: "time",
		}, true
	}
	return shape{}, false
}

// Presets are the shapes of tables that need no mapping.
func Presets() map[string]Mapping {
	return map[string]Mapping{
		"ts_user_trades": {
			Dataset: audit.UserTrades, Table: "ts_user_trades",
			Columns: map[string]string{
				fieldAccount: "account_id", fieldSymbol: "symbol", "time": "time", fieldID: "trade_id", "price": "price", "quantity": "qty",
				"quote_quantity": "quote_qty", "commission": "commission", "commission_asset": "commission_asset", "realized_pnl": "realized_pnl", fieldCreated: "created_at",
			},
		},
		"ts_future_incomes": {
			Dataset: audit.Incomes, Table: "ts_future_incomes",
			Columns: map[string]string{
				fieldAccount: "account_id", "time": "time_unix", fieldID: "tran_id", fieldType: "income_type", "income": "income", "asset": "asset", fieldCreated: "created_at",
			},
		},
		"klines": {
			Dataset: audit.Klines, Table: "klines",
			Columns: map[string]string{
				fieldSymbol: "symbol", fieldInterval: "interval", "open_time": "open_time", "open": "open", "high": "high", "low": "low",
				"close": "close", "volume": "volume",
			},
		},
	}
}

// resolve puts the mapping over its preset and checks that it is whole.
func (m Mapping) resolve() (Mapping, shape, error) {
	if m.Preset != "" {
		p, ok := Presets()[m.Preset]
		if !ok {
			return m, shape{}, fmt.Errorf("preset %q: use one of %s", m.Preset, strings.Join(slices.Sorted(maps.Keys(Presets())), ", "))
		}
		if m.Table != "" {
			p.Table = m.Table
		}
		maps.Copy(p.Columns, m.Columns)
		p.Symbol, p.Account, p.Interval = m.Symbol, m.Account, m.Interval
		m = p
	}
	s, ok := shapeOf(m.Dataset)
	if !ok {
		return m, s, fmt.Errorf("dataset %q: use klines, trades, aggTrades, userTrades or incomes", m.Dataset)
	}
	if m.Table == "" {
		return m, s, fmt.Errorf("%s: no table is named", m.Dataset)
	}
	constant := map[string]string{fieldSymbol: m.Symbol, fieldAccount: m.Account, fieldInterval: string(m.Interval)}
	var errs []error
	for _, field := range s.required {
		if m.Columns[field] == "" {
			errs = append(errs, fmt.Errorf("%s: columns.%s: no column is named; `hedgewatch audit --discover` proposes a mapping", m.Table, field))
		}
	}
	if (m.Columns["first_id"] == "") != (m.Columns["last_id"] == "") {
		errs = append(errs, fmt.Errorf("%s: columns: one of first_id and last_id is named; give both or none", m.Table))
	}
	for _, field := range s.keys {
		if m.Columns[field] == "" && constant[field] == "" {
			errs = append(errs, fmt.Errorf("%s: %s: name its column, or give the one that all rows have", m.Table, field))
		}
	}
	known := slices.Concat(s.keys, s.required, s.optional)
	for field := range m.Columns {
		if !slices.Contains(known, field) {
			errs = append(errs, fmt.Errorf("%s: columns.%s: %s have no such field; use %s", m.Table, field, m.Dataset, strings.Join(known, ", ")))
		}
	}
	if m.Interval != "" {
		errs = append(errs, m.Interval.Validate())
	}
	return m, s, errors.Join(errs...)
}

// Validate reports all that is wrong with a mapping by itself; whether the table
// is like that, [DB.Table] finds out.
func (m Mapping) Validate() error {
	_, _, err := m.resolve()
	return err
}
