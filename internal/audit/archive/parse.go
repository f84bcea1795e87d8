package archive

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// column is what a field of a row means.
type column int

const (
	ignored column = iota
	openTime
	open
	high
	low
	closePrice
	volume
	closeTime
	quoteVolume
	trades
	takerBase
	takerQuote
)

// binanceLayout is the order of Binance's own files, which have no header for
// spot; github.com/binance/binance-public-data, "Klines", 2026-11.
func binanceLayout() []column {
	return []column{openTime, open, high, low, closePrice, volume, closeTime, quoteVolume, trades, takerBase, takerQuote, ignored}
}

// columnsByName has the names of Binance's headers and of common exports, in
// lower case without separators.
func columnsByName() map[string]column {
	return map[string]column{
		"opentime": openTime, "timestamp": openTime, "time": openTime, "starttime": openTime,
		"open": open, "high": high, "low": low, "close": closePrice, "volume": volume, "closetime": closeTime, "endtime": closeTime,
		"quotevolume": quoteVolume, "quoteassetvolume": quoteVolume, "amount": quoteVolume,
		"count": trades, "trades": trades, "numberoftrades": trades, "tradecount": trades, "numtrades": trades,
		"takerbuyvolume": takerBase, "takerbuybasevolume": takerBase, "takerbuybaseassetvolume": takerBase, "takerbase": takerBase,
		"takerbuyquotevolume": takerQuote, "takerbuyquoteassetvolume": takerQuote, "takerquote": takerQuote,
	}
}

func headerLayout(line []byte) ([]column, error) {
	names := columnsByName()
	var layout []column
	has := map[column]bool{}
	for field := range strings.SplitSeq(string(line), ",") {
		plain := strings.NewReplacer("_", "", " ", "", `"`, "", "\ufeff", "").Replace(strings.ToLower(field))
		layout = append(layout, names[plain])
		has[names[plain]] = true
	}
	for c, name := range map[column]string{openTime: "open_time", open: "open", high: "high", low: "low", closePrice: "close", volume: "volume"} {
		if !has[c] {
			return nil, fmt.Errorf("the header has no column %s", name)
		}
	}
	return layout, nil
}

// parser holds the row that is read, and what was learnt from the first.
type parser struct {
	layout []column
	unit   audit.Unit // of the first row
	kline  audit.Kline
}

// parse reads a line into p.kline.
func (p *parser) parse(line []byte) (wrongUnit bool, err error) {
	k := &p.kline
	*k = audit.Kline{}
	for i, c := range p.layout {
		var field []byte
		if i == len(p.layout)-1 {
			field, line = line, nil
		} else {
			comma := bytes.IndexByte(line, ',')
			if comma < 0 {
				return false, fmt.Errorf("has %d columns instead of %d", i+1, len(p.layout))
			}
			field, line = line[:comma], line[comma+1:]
		}
		if c == ignored {
			continue
		}
		if len(field) > 0 && (field[0] == '"' || field[0] == ' ') {
			field = bytes.Trim(field, `" `)
		}
		unit, err := p.set(c, field)
		if err != nil {
			return false, fmt.Errorf("column %d: %q: %w", i+1, shorten(field), err)
		}
		if unit == "" {
			continue
		}
		if p.unit == "" {
			p.unit = unit
		}
		wrongUnit = wrongUnit || unit != p.unit
	}
	return wrongUnit, nil
}

// set puts a field where it belongs; it returns the unit of a time.
func (p *parser) set(c column, field []byte) (unit audit.Unit, err error) {
	k := &p.kline
	switch c {
	case openTime:
		k.OpenTime, unit, err = parseTime(field)
	case closeTime:
		k.CloseTime, unit, err = parseTime(field)
	case open:
		k.Open, err = audit.ParseDecimal(field)
	case high:
		k.High, err = audit.ParseDecimal(field)
	case low:
		k.Low, err = audit.ParseDecimal(field)
	case closePrice:
		k.Close, err = audit.ParseDecimal(field)
	case volume:
		k.Volume, err = audit.ParseDecimal(field)
	case quoteVolume:
		k.Has |= audit.HasQuoteVolume
		k.QuoteVolume, err = audit.ParseDecimal(field)
	case trades:
		k.Has |= audit.HasTrades
		k.Trades, err = parseInt(field)
	case takerBase:
		k.Has |= audit.HasTakerBase
		k.TakerBase, err = audit.ParseDecimal(field)
	case takerQuote:
		k.Has |= audit.HasTakerQuote
		k.TakerQuote, err = audit.ParseDecimal(field)
	}
	return unit, err
}

func parseTime(field []byte) (int64, audit.Unit, error) {
	t, err := parseInt(field)
	if err != nil {
		return 0, "", err
	}
	return audit.Micros(t)
}

var errInt = errors.New("not a whole number")

// parseInt reads digits; strconv would need a string for each.
func parseInt(field []byte) (int64, error) {
	negative := len(field) > 0 && field[0] == '-'
	digits := field
	if negative {
		digits = field[1:]
	}
	if len(digits) == 0 || len(digits) > 18 && !(len(digits) == 19 && digits[0] == '1') {
		return 0, errInt
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, errInt
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, nil
}

// shorten keeps a binary file out of the message.
func shorten(field []byte) []byte { return field[:min(len(field), 40)] }
