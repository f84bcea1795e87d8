package httpsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// shape is what a dataset's rows consist of.
type shape struct {
	keys     []string // what tells series apart
	required []string
	optional []string
	time     string // the column that orders rows
}

func shapeOf(dataset string) (shape, bool) {
	switch dataset {
	case audit.Klines:
		return shape{
			keys: []string{"symbol", "interval"}, required: []string{"open_time", "open", "high", "low", "close", "volume"},
			optional: []string{"close_time", "quote_volume", "trades", "taker_base", "taker_quote", "first_id", "last_id", "created_at"}, time: "open_time",
		}, true
	case audit.Trades:
		return shape{
			keys: []string{"symbol"}, required: []string{"time", "id", "price", "quantity"},
			optional: []string{"quote_quantity", "created_at"}, time: "time",
		}, true
	case audit.AggTrades:
		return shape{
			keys: []string{"symbol"}, required: []string{"time", "id", "price", "quantity"},
			optional: []string{"first_id", "last_id", "created_at"}, time: "time",
		}, true
	case audit.UserTrades:
		return shape{
			keys: []string{"account", "symbol"}, required: []string{"time", "id", "price", "quantity"},
			optional: []string{"quote_quantity", "commission", "commission_asset", "realized_pnl", "created_at"}, time: "time",
		}, true
	case audit.Incomes:
		return shape{
			keys: []string{"account"}, required: []string{"time", "id", "type", "income"},
			optional: []string{"asset", "created_at"}, time: "time",
		}, true
	}
	return shape{}, false
}

// complete reports a series that lacks what tells it apart, or has more.
func (s shape) complete(one audit.Series) error {
	var errs []error
	for name, value := range map[string]string{"symbol": one.Symbol, "account": one.Account, "interval": string(one.Interval)} {
		switch wanted := slices.Contains(s.keys, name); {
		case wanted && value == "":
			errs = append(errs, fmt.Errorf("it has no %s", name))
		case !wanted && value != "":
			errs = append(errs, fmt.Errorf("%s have no %s", one.Dataset, name))
		}
	}
	if one.Interval != "" && slices.Contains(s.keys, "interval") {
		errs = append(errs, one.Interval.Validate())
	}
	return errors.Join(errs...)
}

// check reports columns that are unknown, there twice, or missing.
func (s shape) check(columns []string) error {
	known := slices.Concat(s.required, s.optional)
	var errs []error
	for i, name := range columns {
		switch {
		case !slices.Contains(known, name):
			errs = append(errs, fmt.Errorf("the source's column %q is unknown; use %s", name, strings.Join(known, ", ")))
		case slices.Contains(columns[:i], name):
			errs = append(errs, fmt.Errorf("the source has the column %s twice", name))
		}
	}
	for _, name := range s.required {
		if !slices.Contains(columns, name) {
			errs = append(errs, fmt.Errorf("the source has no column %s", name))
		}
	}
	if slices.Contains(columns, "first_id") != slices.Contains(columns, "last_id") {
		errs = append(errs, errors.New("the source has one of first_id and last_id; give both or none"))
	}
	return errors.Join(errs...)
}

var (
	errNull = errors.New("is null")
	errKind = errors.New("is neither a number nor a text")
)

// scalar returns the text of a number or a string, nil for null. Numbers that are
// money are read from their text and never become floats.
func scalar(raw json.RawMessage) ([]byte, error) {
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return nil, nil
	case raw[0] == '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return raw[1 : len(raw)-1], nil
		}
		var text string
		err := json.Unmarshal(raw, &text)
		return []byte(text), err
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return raw, nil
	}
	return nil, errKind
}

func decimal(raw json.RawMessage, required bool) (d audit.Decimal, known bool, err error) {
	text, err := scalar(raw)
	if err != nil || text == nil {
		return d, false, orNull(err, required)
	}
	if d, err = audit.ParseDecimal(text); err != nil {
		return d, false, fmt.Errorf("%q is %w", text[:min(len(text), 40)], err)
	}
	return d, true, nil
}

func orNull(err error, required bool) error {
	if err == nil && required {
		return errNull
	}
	return err
}

func integer(raw json.RawMessage, required bool) (n int64, known bool, err error) {
	text, err := scalar(raw)
	if err != nil || text == nil {
		return 0, false, orNull(err, required)
	}
	if n, err = strconv.ParseInt(string(text), 10, 64); err != nil {
		return 0, false, fmt.Errorf("%q is not a whole number", text[:min(len(text), 40)])
	}
	return n, true, nil
}

// instant reads a time in s, ms, µs or ns, or as RFC 3339 with a zone.
func instant(raw json.RawMessage, required bool) (us int64, unit audit.Unit, err error) {
	text, err := scalar(raw)
	if err != nil || text == nil {
		return 0, "", orNull(err, required)
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		us, unit, err = audit.Micros(n)
		if err != nil {
			return 0, "", fmt.Errorf("%w", err)
		}
		return us, unit, nil
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return 0, "", fmt.Errorf("%q is no time; use a number of ms, or RFC 3339 with its zone", text[:min(len(text), 40)])
	}
	return at.UnixMicro(), "", nil
}

// setKline puts a value where it belongs; unit is that of the open time.
func setKline(k *audit.Kline, name string, raw json.RawMessage) (unit audit.Unit, err error) {
	optional := func(at *audit.Decimal, has audit.Columns) {
		var known bool
		if *at, known, err = decimal(raw, false); known {
			k.Has |= has
		}
	}
	switch name {
	case "open_time":
		k.OpenTime, unit, err = instant(raw, true)
	case "close_time":
		k.CloseTime, _, err = instant(raw, false)
	case "created_at":
		k.CreatedAt, _, err = instant(raw, false)
	case "open":
		k.Open, _, err = decimal(raw, true)
	case "high":
		k.High, _, err = decimal(raw, true)
	case "low":
		k.Low, _, err = decimal(raw, true)
	case "close":
		k.Close, _, err = decimal(raw, true)
	case "volume":
		k.Volume, _, err = decimal(raw, true)
	case "quote_volume":
		optional(&k.QuoteVolume, audit.HasQuoteVolume)
	case "taker_base":
		optional(&k.TakerBase, audit.HasTakerBase)
	case "taker_quote":
		optional(&k.TakerQuote, audit.HasTakerQuote)
	case "trades":
		var known bool
		if k.Trades, known, err = integer(raw, false); known {
			k.Has |= audit.HasTrades
		}
	case "first_id":
		k.FirstID, err = id(k, raw)
	case "last_id":
		k.LastID, err = id(k, raw)
	}
	return unit, err
}

// id is that of a trade in a bar, -1 if it is not known.
func id(k *audit.Kline, raw json.RawMessage) (int64, error) {
	k.Has |= audit.HasTradeIDs
	n, known, err := integer(raw, false)
	if !known {
		n = -1
	}
	return n, err
}

func setEntry(e *audit.Entry, amounts []string, name string, raw json.RawMessage, required bool) (err error) {
	if i := slices.Index(amounts, name); i >= 0 {
		var known bool
		if e.Amounts[i], known, err = decimal(raw, required); known {
			e.Known |= 1 << i
		}
		return err
	}
	var text []byte
	switch name {
	case "time":
		e.Time, _, err = instant(raw, true)
	case "created_at":
		e.CreatedAt, _, err = instant(raw, false)
	case "id":
		e.ID, _, err = integer(raw, true)
	case "first_id":
		e.FirstID, _, err = integer(raw, true)
	case "last_id":
		e.LastID, _, err = integer(raw, true)
	case "type":
		if text, err = scalar(raw); err == nil && len(text) == 0 {
			err = errNull
		}
		e.Type = string(text)
	case "asset", "commission_asset":
		text, err = scalar(raw)
		e.Asset = string(text)
	}
	return err
}
