package instrument

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// numbered tracks rows whose numbers have no holes at the exchange.
type numbered struct {
	*rows
	sequence sequence
	gaps     prometheus.Counter
	missing  prometheus.Gauge
}

func (s *Sync) numbered(of Dataset) (numbered, error) {
	r, err := s.track(of)
	if err != nil {
		return numbered{}, err
	}
	return numbered{rows: r, gaps: s.gaps.WithLabelValues(of.labels()...), missing: s.missing.WithLabelValues(of.labels()...)}, nil
}

func (n *numbered) stored(number int64, event time.Time) {
	n.mu.Lock()
	v, skipped := n.sequence.add(number)
	if skipped > 0 {
		n.gaps.Inc()
	}
	n.missing.Set(float64(n.sequence.missing))
	n.rows.stored(v, event)
	n.mu.Unlock()
}

func (n *numbered) resume(number int64) {
	n.mu.Lock()
	n.sequence.resume(number)
	n.mu.Unlock()
}

// KlineTracker follows the closed bars of one symbol and interval.
type KlineTracker struct {
	numbered numbered
	interval interval
}

// Kline tracks klines. It needs Market, Symbol and Interval.
func (s *Sync) Kline(of Dataset) (*KlineTracker, error) {
	of.name = "klines"
	every, err := parseInterval(of.Interval)
	if err != nil {
		return nil, fmt.Errorf("track %v: %w", of, err)
	}
	if err := of.need(symbol); err != nil {
		return nil, err
	}
	n, err := s.numbered(of)
	if err != nil {
		return nil, err
	}
	return &KlineTracker{n, every}, nil
}

// Stored tells that the bar that opened then was stored, closed and committed.
func (t *KlineTracker) Stored(open time.Time) {
	t.numbered.stored(t.interval.number(open), t.interval.end(open))
}

// Resume tells, before the first row, which bar the store has last, so that a gap
// that opened while the process was down is seen.
func (t *KlineTracker) Resume(open time.Time) { t.numbered.resume(t.interval.number(open)) }

// Remove ends the tracker and its series, when the symbol is delisted: rows that
// will never come must not look late. The tracker must not be used any more.
func (t *KlineTracker) Remove() { t.numbered.remove() }

// TradeTracker follows the public trades of one symbol.
type TradeTracker struct{ numbered numbered }

// Trade tracks trades by their id t, which has no holes on spot. On futures it
// has some: insurance and liquidation trades are left out, see AggTrade. It needs
// Market and Symbol.
func (s *Sync) Trade(of Dataset) (*TradeTracker, error) { return s.trades("trades", of) }

// AggTrade tracks aggregate trades by their id a, which has no holes on any
// market. It needs Market and Symbol.
func (s *Sync) AggTrade(of Dataset) (*TradeTracker, error) { return s.trades("agg_trades", of) }

func (s *Sync) trades(name string, of Dataset) (*TradeTracker, error) {
	of.name = name
	if err := of.need(symbol); err != nil {
		return nil, err
	}
	n, err := s.numbered(of)
	if err != nil {
		return nil, err
	}
	return &TradeTracker{n}, nil
}

// Stored tells that the trade of that id and time was stored and committed.
func (t *TradeTracker) Stored(id int64, at time.Time) { t.numbered.stored(id, at) }

// Resume tells, before the first row, which id the store has last, so that a gap
// that opened while the process was down is seen.
func (t *TradeTracker) Resume(id int64) { t.numbered.resume(id) }

// Remove ends the tracker and its series, when the symbol is delisted: rows that
// will never come must not look late. The tracker must not be used any more.
func (t *TradeTracker) Remove() { t.numbered.remove() }

// UserTradeTracker follows the fills of one account and symbol. Their ids have
// holes, the trades of others, so that it cannot see a gap.
type UserTradeTracker struct {
	rows   *rows
	ledger ledger
}

// UserTrade tracks fills. It needs Market, Account and Symbol.
func (s *Sync) UserTrade(of Dataset) (*UserTradeTracker, error) {
	of.name = "user_trades"
	if err := of.need(account | symbol); err != nil {
		return nil, err
	}
	r, err := s.track(of)
	if err != nil {
		return nil, err
	}
	return &UserTradeTracker{rows: r}, nil
}

// Stored tells that the fill of that trade id and time was stored and committed.
func (t *UserTradeTracker) Stored(tradeID int64, at time.Time) {
	t.rows.mu.Lock()
	t.rows.stored(t.ledger.add(tradeID, tradeID), at)
	t.rows.mu.Unlock()
}

// Resume tells, before the first row, which trade id the store has last.
func (t *UserTradeTracker) Resume(tradeID int64) {
	t.rows.mu.Lock()
	t.ledger.resume(tradeID)
	t.rows.mu.Unlock()
}

// Remove ends the tracker and its series, when the account or symbol is gone. The
// tracker must not be used any more.
func (t *UserTradeTracker) Remove() { t.rows.remove() }

// IncomeTracker follows the incomes of one account: profits, funding, commission,
// transfers. Their ids have holes, so that it cannot see a gap.
type IncomeTracker struct {
	rows    *rows
	ledgers map[string]*ledger // By income type: an id is unique within one.
}

// maxIncomeTypes bounds the memory of a tracker; the exchange documents about 30.
// Further types share a ledger.
const maxIncomeTypes = 64

// Income tracks incomes. It needs Market and Account.
func (s *Sync) Income(of Dataset) (*IncomeTracker, error) {
	of.name = "incomes"
	if err := of.need(account); err != nil {
		return nil, err
	}
	r, err := s.track(of)
	if err != nil {
		return nil, err
	}
	return &IncomeTracker{rows: r, ledgers: make(map[string]*ledger)}, nil
}

// Stored tells that the income of that type, tranId and time was stored and
// committed. The order of incomes is that of their times.
func (t *IncomeTracker) Stored(incomeType string, tranID int64, at time.Time) {
	t.rows.mu.Lock()
	l := t.ledgers[incomeType]
	if l == nil {
		l = t.open(incomeType)
	}
	t.rows.stored(l.add(tranID, at.UnixMilli()), at)
	t.rows.mu.Unlock()
}

func (t *IncomeTracker) open(incomeType string) *ledger {
	if len(t.ledgers) >= maxIncomeTypes {
		incomeType = "other"
	}
	l := t.ledgers[incomeType]
	if l == nil {
		l = new(ledger)
		t.ledgers[incomeType] = l
	}
	return l
}

// Remove ends the tracker and its series, when the account is gone. The tracker
// must not be used any more.
func (t *IncomeTracker) Remove() { t.rows.remove() }

// fields are those of a Dataset that not all trackers need.
type fields uint8

const (
	account fields = 1 << iota
	symbol
)

// need checks that exactly the fields are set that tell the dataset from others.
// An account that does not belong there would hide a row from its dashboard.
func (d Dataset) need(want fields) error {
	if !slices.Contains(markets(), d.Market) {
		return fmt.Errorf("track %v: Market is %q; use Spot, USDM or COINM", d, d.Market)
	}
	for _, f := range []struct {
		bit   fields
		name  string
		value string
	}{{account, "Account", d.Account}, {symbol, "Symbol", d.Symbol}} {
		if (want&f.bit != 0) != (f.value != "") {
			return fmt.Errorf("track %v: %s is %q; set it for what has one, and only for that", d, f.name, f.value)
		}
	}
	if d.Interval != "" && d.name != "klines" {
		return fmt.Errorf("track %v: Interval is %q; only klines have one", d, d.Interval)
	}
	return nil
}

// interval is the length of a bar: some seconds, or some months.
type interval struct{ seconds, months int64 }

// parseInterval knows those of the exchange, which bounds the label.
func parseInterval(text string) (interval, error) {
	const minute, hour, day = 60, 3600, 86400
	known := map[string]interval{
		"1s": {1, 0}, "1m": {minute, 0}, "3m": {3 * minute, 0}, "5m": {5 * minute, 0}, "15m": {15 * minute, 0}, "30m": {30 * minute, 0},
		"1h": {hour, 0}, "2h": {2 * hour, 0}, "4h": {4 * hour, 0}, "6h": {6 * hour, 0}, "8h": {8 * hour, 0}, "12h": {12 * hour, 0},
		"1d": {day, 0}, "3d": {3 * day, 0}, "1w": {7 * day, 0}, "1M": {0, 1},
	}
	i, ok := known[text]
	if !ok {
		return interval{}, fmt.Errorf("interval %q; use one of %s", text, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return i, nil
}

// number counts the intervals up to the bar that opened then.
func (i interval) number(open time.Time) int64 {
	if i.months > 0 {
		year, month, _ := open.UTC().Date()
		return (int64(year)*12 + int64(month) - 1) / i.months
	}
	return open.Unix() / i.seconds
}

// end is when the bar that opened then is over.
func (i interval) end(open time.Time) time.Time {
	if i.months > 0 {
		return open.UTC().AddDate(0, int(i.months), 0)
	}
	return open.Add(time.Duration(i.seconds) * time.Second)
}
