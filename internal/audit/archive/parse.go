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
	has    audit.Columns
	unit   audit.Unit // of the first row
	kline  audit.Kline
}

func newParser(layout []column) parser {
	p := parser{layout: layout}
	for _, c := range layout {
		switch c {
		case quoteVolume:
			p.has |= audit.HasQuoteVolume
		case trades:
			p.has |= audit.HasTrades
		case takerBase:
			p.has |= audit.HasTakerBase
		case takerQuote:
			p.has |= audit.HasTakerQuote
		}
	}
	return p
}

// parse reads a line into p.kline.
func (p *parser) parse(line []byte) (wrongUnit bool, err error) {
	p.kline = audit.Kline{Has: p.has}
	for i, c := range p.layout {
		last := i == len(p.layout)-1
		unit, n := p.scan(c, line)
		if n == 0 || last && n < len(line) {
			if n = bytes.IndexByte(line, ','); n < 0 || last {
				n = len(line)
			}
			if unit, err = p.set(c, line[:n]); err != nil {
				return false, fmt.Errorf("column %d: %q: %w", i+1, shorten(line[:n]), err)
			}
		}
		if n == len(line) && !last {
			return false, fmt.Errorf("has %d columns instead of %d", i+1, len(p.layout))
		}
		line = line[min(n+1, len(line)):]
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

// scan reads the field that a line begins with, up to the comma or the end, and
// returns how long it is: 0 if it is not a number as the exchange writes them.
func (p *parser) scan(c column, line []byte) (unit audit.Unit, n int) {
	switch c {
	case ignored:
	case openTime, closeTime, trades:
		var value int64
		for n < len(line) && n < 18 && line[n]-'0' <= 9 {
			value = value*10 + int64(line[n]-'0')
			n++
		}
		if n < len(line) && line[n] != ',' {
			return "", 0
		}
		return p.whole(c, value, n)
	default:
		var d audit.Decimal
		if d, n = audit.ScanDecimal(line); n > 0 {
			*p.decimal(c) = d
		}
	}
	return "", n
}

// whole puts a whole number of n digits where it belongs.
func (p *parser) whole(c column, value int64, n int) (audit.Unit, int) {
	if c == trades {
		p.kline.Trades = value
		return "", n
	}
	us, unit, err := audit.Micros(value)
	if err != nil {
		return "", 0
	}
	if c == openTime {
		p.kline.OpenTime = us
	} else {
		p.kline.CloseTime = us
	}
	return unit, n
}

// decimal is where the number of a column belongs.
func (p *parser) decimal(c column) *audit.Decimal {
	k := &p.kline
	switch c {
	case open:
		return &k.Open
	case high:
		return &k.High
	case low:
		return &k.Low
	case closePrice:
		return &k.Close
	case volume:
		return &k.Volume
	case quoteVolume:
		return &k.QuoteVolume
	case takerBase:
		return &k.TakerBase
	}
	return &k.TakerQuote
}

// set reads a whole field, however it is written; it returns the unit of a time.
func (p *parser) set(c column, field []byte) (unit audit.Unit, err error) {
	if len(field) > 0 && (field[0] == '"' || field[0] == ' ') {
		field = bytes.Trim(field, `" `)
	}
	switch c {
	case ignored:
	case openTime:
		p.kline.OpenTime, unit, err = parseTime(field)
	case closeTime:
		p.kline.CloseTime, unit, err = parseTime(field)
	case trades:
		p.kline.Trades, err = parseInt(field)
	default:
		*p.decimal(c), err = audit.ParseDecimal(field)
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
