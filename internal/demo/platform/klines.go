package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/instrument"
)

const (
	klinePath = "/api/v3/klines"
	// klinePage is the most that the exchange returns; API docs, 2026-07.
	klinePage = 1000
	// klineHistory is what a new database gets.
	klineHistory = 70 * time.Minute
	klineStep    = time.Second
	// restartSpan is what a process asks for again when it starts.
	restartSpan = 30 * time.Minute
	// klineLate is how long a bar may take to be final.
	klineLate = 500 * time.Millisecond
)

// A crawler stores the bars of a second of some symbols of spot.
type crawler struct {
	*service
	// backfills are how far back is asked for by hand, one after the other.
	backfills chan time.Duration
}

type series struct {
	symbol  string
	next    time.Time // The first bar that is not stored.
	tracker *instrument.KlineTracker
}

// crawlKlines catches up with where the store ends, and goes on from there.
func crawlKlines(ctx context.Context, s *service) error {
	c := &crawler{service: s, backfills: make(chan time.Duration, 1)}
	s.routes.HandleFunc("POST /backfill", c.serveBackfill)
	var all []*series
	for _, symbol := range symbols() {
		one, err := c.series(ctx, symbol)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	// Nobody knows which backfill the process before has left undone.
	c.backfills <- restartSpan
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // Before the wait.
	running.Go(func() { c.runBackfills(ctx) })
	if s.config.BackfillForever {
		running.Go(func() { c.backfillForever(ctx) })
	}
	return s.repeat(ctx, "klines", klineStep, func(ctx context.Context) error {
		for _, one := range all {
			if err := c.advance(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *crawler) series(ctx context.Context, symbol string) (*series, error) {
	tracker, err := c.sync.Kline(instrument.Dataset{Market: instrument.Spot, Symbol: symbol, Interval: "1s"})
	if err != nil {
		return nil, err
	}
	last, err := c.db.newest(ctx, newestBar, symbol)
	if err != nil {
		return nil, err
	}
	one := &series{symbol: symbol, tracker: tracker, next: time.Now().Add(-klineHistory).Truncate(klineStep)}
	if !last.IsZero() {
		one.next = last.Add(klineStep)
		tracker.Resume(last)
	}
	return one, nil
}

// advance stores what has closed since.
func (c *crawler) advance(ctx context.Context, one *series) error {
	closed := time.Now().Add(-klineLate).Truncate(klineStep)
	for one.next.Before(closed) {
		bars, err := c.copyBars(ctx, one.symbol, one.next, closed, klinePage)
		if err != nil || len(bars) == 0 {
			return err
		}
		for _, open := range bars {
			one.tracker.Stored(open)
		}
		one.next = bars[len(bars)-1].Add(klineStep)
	}
	return nil
}

// copyBars stores a page of the bars in [from, to) and returns which these are.
func (c *crawler) copyBars(ctx context.Context, symbol string, from, to time.Time, page int) (opens []time.Time, err error) {
	var rows [][]json.RawMessage
	p := url.Values{"symbol": {symbol}, "interval": {"1s"}, "limit": {strconv.Itoa(page)}}
	p.Set("startTime", strconv.FormatInt(from.UnixMilli(), 10))
	p.Set("endTime", strconv.FormatInt(to.UnixMilli()-1, 10))
	if err := c.exchange.ask(ctx, http.MethodGet, klinePath, "", p, &rows); err != nil {
		return nil, err
	}
	var table [][]any
	for _, row := range rows {
		const fields = 6
		if len(row) < fields {
			return nil, fmt.Errorf("a bar of %s has %d fields, not %d or more", symbol, len(row), fields)
		}
		var at int64
		var prices [5]string
		errs := []error{json.Unmarshal(row[0], &at)}
		for i := range prices {
			errs = append(errs, json.Unmarshal(row[i+1], &prices[i]))
		}
		if err := errors.Join(errs...); err != nil {
			return nil, fmt.Errorf("read a bar of %s: %w", symbol, err)
		}
		opens = append(opens, time.UnixMilli(at))
		table = append(table, []any{symbol, "1s", time.UnixMilli(at), prices[0], prices[1], prices[2], prices[3], prices[4]})
	}
	_, err = c.db.insert(ctx, "klines (symbol, interval, open_time, open, high, low, close, volume)", "symbol", table)
	return opens, err
}

// serveBackfill takes an order for bars that are asked for again.
func (c *crawler) serveBackfill(w http.ResponseWriter, r *http.Request) {
	span, err := time.ParseDuration(r.FormValue("span"))
	if err != nil || span <= 0 || span > klineHistory {
		http.Error(w, fmt.Sprintf("span: %q; use a duration up to %s", r.FormValue("span"), klineHistory), http.StatusBadRequest)
		return
	}
	select {
	case c.backfills <- span:
		w.WriteHeader(http.StatusAccepted)
	default:
		http.Error(w, "another backfill waits already", http.StatusTooManyRequests)
	}
}

// runBackfills has one backfill after the other.
func (c *crawler) runBackfills(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case span := <-c.backfills:
			if err := c.backfill(ctx, span, klinePage); err != nil && ctx.Err() == nil {
				c.logger.Error("Backfill failed", "err", err)
			}
		}
	}
}

// backfillForever is a mistake of the release that is simulated: the last hour again
// and again, in pages of ten bars.
func (c *crawler) backfillForever(ctx context.Context) {
	const pause = time.Second
	for ctx.Err() == nil {
		if err := c.backfill(ctx, time.Hour, 10); err != nil && ctx.Err() == nil {
			c.logger.Warn("Backfill failed; it begins again", "in", pause, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

// backfill asks for all bars of the last while again, a page at a time.
func (c *crawler) backfill(ctx context.Context, span time.Duration, page int) error {
	defer c.panics.Recover("backfill", func(err error) { c.logger.Error("Backfill ended", "err", err) })
	ctx = instrument.WithPriority(ctx, instrument.Backfill)
	to := time.Now().Add(-klineLate).Truncate(klineStep)
	for _, symbol := range symbols() {
		for from := to.Add(-span); from.Before(to); from = from.Add(time.Duration(page) * klineStep) {
			end := from.Add(time.Duration(page) * klineStep)
			if end.After(to) {
				end = to
			}
			if _, err := c.copyBars(ctx, symbol, from, end, page); err != nil {
				return err
			}
		}
	}
	return nil
}

// Symbols is of how many symbols the bars are stored.
const Symbols = 3

func symbols() [Symbols]string { return [Symbols]string{"BTCUSDT", "ETHUSDT", "SOLUSDT"} }
