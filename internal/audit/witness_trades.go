package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// keptSeconds are remembered of each series of trades, for rows that are late.
const keptSeconds = 120

// sight is what was seen of a stream of trades: not each, but the last one of each
// second, and since when no id was left out.
type sight struct {
	seconds []lastTrade // In the order of time.
	first   int64       // id
}

// lastTrade is the last one of a second, which begins at a time in µs.
type lastTrade struct{ at, id int64 }

func (s *sight) take(id, at int64) {
	second := at - at%time.Second.Microseconds()
	n := len(s.seconds)
	switch {
	case n > 0 && id <= s.seconds[n-1].id:
		return // Both connections of a rotation send it.
	case n == 0 || id != s.seconds[n-1].id+1:
		s.first = id
	}
	if n > 0 && second <= s.seconds[n-1].at {
		s.seconds[n-1].id = id
		return
	}
	if s.seconds = append(s.seconds, lastTrade{second, id}); len(s.seconds) > keptSeconds {
		s.seconds = slices.Delete(s.seconds, 0, len(s.seconds)-keptSeconds)
	}
}

// trade returns the last trade that was sent which is older than a time, and since
// which id none was left out.
func (w *witness) trade(s Series, before time.Time) (last lastTrade, first int64, ok bool) {
	if w == nil {
		return last, 0, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.trades[streamName(s)]
	if seen == nil {
		return last, 0, false
	}
	end := before.UnixMicro() - time.Second.Microseconds()
	i, _ := slices.BinarySearchFunc(seen.seconds, end+1, func(t lastTrade, at int64) int { return cmp.Compare(t.at, at) })
	if i == 0 {
		return last, 0, false
	}
	return seen.seconds[i-1], seen.first, true
}

// takeTrade remembers a trade.
func (w *witness) takeTrade(frame []byte) error {
	name, id, at, err := parseStreamedTrade(frame)
	if err != nil || id == 0 {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, there := w.trades[name]
	if !there {
		return fmt.Errorf("trade of %q, which nobody asked for", name)
	}
	seen.take(id, at)
	w.metrics.trades.WithLabelValues(string(w.market)).Inc()
	return nil
}

// streamedTrade is a trade as it is sent; API docs, "Aggregate Trade Streams" and
// "Trade Streams", 2026-07. Names that differ in case only are both here.
type streamedTrade struct {
	Stream string `json:"stream"`
	Data   struct {
		Event   string `json:"e"`
		At      int64  `json:"E"`
		Symbol  string `json:"s"`
		AggID   int64  `json:"a"` // Of a single trade an order's.
		TradeID int64  `json:"t"`
		Time    int64  `json:"T"`
	} `json:"data"`
}

// parseStreamedTrade reads a frame; the id is 0 for what is no trade.
func parseStreamedTrade(frame []byte) (name string, id, at int64, err error) {
	var m streamedTrade
	if err := json.Unmarshal(frame, &m); err != nil {
		return "", 0, 0, fmt.Errorf("read stream: %w", err)
	}
	s := Series{Symbol: m.Data.Symbol}
	switch m.Data.Event {
	case "aggTrade":
		s.Dataset, id = AggTrades, m.Data.AggID
	case "trade":
		s.Dataset, id = Trades, m.Data.TradeID
	default:
		return m.Stream, 0, 0, nil
	}
	at, _, err = Micros(m.Data.Time)
	switch got := streamName(s); {
	case err != nil:
	case got != m.Stream:
		err = fmt.Errorf("it is of %q", got)
	case id <= 0:
		err = errors.New("it has no id")
	}
	if err != nil {
		return m.Stream, 0, 0, fmt.Errorf("read trade of stream %q: %w", m.Stream, err)
	}
	return m.Stream, id, at, nil
}

// unseen are the trades behind the newest row that the witness was sent and that
// should be stored by now.
func (w *watch) unseen(s Series) []Finding {
	w.a.mu.Lock()
	p := *w.series[s]
	known := w.lastKnown(&p)
	w.a.mu.Unlock()
	last, first, ok := w.witness.trade(s, p.Until)
	if !ok || p.NewestID == 0 {
		return nil
	}
	from := known + 1
	if !rulesOf(s).contiguous {
		from = max(from, first) // Before that, nobody knows which ids there are.
	}
	if from > last.id {
		return nil
	}
	f := missingIDs(s, idRun{from, last.id}, p.Newest.Add(time.Millisecond), micro(last.at).Add(time.Second))
	f.Evidence = fmt.Sprintf("the exchange sent them; the newest row is id %d of %s", p.NewestID, p.Newest.Format(timeFormat))
	return []Finding{f}
}

// lastKnown is the greatest id of a series that is stored, or known to be missing.
// It is called with the lock held.
func (w *watch) lastKnown(p *progress) int64 {
	last := p.NewestID
	for _, r := range w.book.records {
		if r.open() && r.Series == p.Series && r.Kind == Missing {
			last = max(last, r.LastID)
		}
	}
	return last
}
