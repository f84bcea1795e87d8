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

	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/instrument"
)

const (
	klinePath = "/api/v3/klines"
	// klinePage is the most that the exchange returns; API docs, 2026-07.
	klinePage = 1000
	// klineHistory is what a new database gets.
	klineHistory = 70 * time.Minute
	klineStep    = time.Second
	// klineLate is how long a bar may take to be final.
	klineLate = 500 * time.Millisecond
)

// A crawler stores the bars of a second of some symbols of spot.
type crawler struct {
	*service
	// backfills are what was asked for by hand, one at a time.
	backfills chan backfill
	stops     chan struct{}
}

// A backfill goes back by its span, asks for a page of bars at a time, and if it is
// to go on forever begins again at its end.
type backfill struct {
	span    time.Duration
	page    int
	forever bool
}

type series struct {
	symbol  string
	next    time.Time // The first bar that is not stored.
	tracker *instrument.KlineTracker
}

// crawlKlines catches up with where the store ends, and goes on from there.
func crawlKlines(ctx context.Context, s *service) error {
	c := &crawler{service: s, backfills: make(chan backfill, 1), stops: make(chan struct{}, 1)}
	s.routes.HandleFunc("POST /backfill", c.serveBackfill)
	s.routes.HandleFunc("DELETE /backfill", c.serveStop)
	var all []*series
	for _, symbol := range symbols() {
		one, err := c.series(ctx, symbol)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // Before the wait.
	running.Go(func() { c.runBackfills(ctx) })
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
	var last *time.Time
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := c.db.QueryRow(ctx, `SELECT max(open_time) FROM klines WHERE symbol = $1 AND interval = '1s'`, symbol).Scan(&last); err != nil {
		return nil, fmt.Errorf("%w: find the last bar of %s: %w", errDatabase, symbol, err)
	}
	one := &series{symbol: symbol, tracker: tracker, next: time.Now().Add(-klineHistory).Truncate(klineStep)}
	if last != nil {
		one.next = last.Add(klineStep)
		tracker.Resume(*last)
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
	batch := &pgx.Batch{}
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
		batch.Queue(`INSERT INTO klines (symbol, interval, open_time, open, high, low, close, volume)
			VALUES ($1, '1s', $2, $3::text::numeric, $4::text::numeric, $5::text::numeric, $6::text::numeric, $7::text::numeric) ON CONFLICT DO NOTHING`,
			symbol, time.UnixMilli(at), prices[0], prices[1], prices[2], prices[3], prices[4])
	}
	return opens, c.store(ctx, batch)
}

// serveBackfill takes an order for bars that are asked for again.
func (c *crawler) serveBackfill(w http.ResponseWriter, r *http.Request) {
	b, err := readBackfill(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case c.backfills <- b:
		w.WriteHeader(http.StatusAccepted)
	default:
		http.Error(w, "another backfill waits already", http.StatusTooManyRequests)
	}
}

func readBackfill(r *http.Request) (b backfill, err error) {
	if b.span, err = time.ParseDuration(r.FormValue("span")); err != nil || b.span <= 0 || b.span > klineHistory {
		return b, fmt.Errorf("span: %q; use a duration up to %s", r.FormValue("span"), klineHistory)
	}
	b.page = klinePage
	if text := r.FormValue("page"); text != "" {
		if b.page, err = strconv.Atoi(text); err != nil || b.page < 1 || b.page > klinePage {
			return b, fmt.Errorf("page: %q; use 1 to %d", text, klinePage)
		}
	}
	b.forever = r.FormValue("forever") == "true"
	return b, nil
}

// serveStop ends the backfill that runs.
func (c *crawler) serveStop(w http.ResponseWriter, _ *http.Request) {
	select {
	case c.stops <- struct{}{}:
	default: // A stop is on its way already.
	}
	w.WriteHeader(http.StatusAccepted)
}

// runBackfills has one backfill after the other; a new order ends the one before.
func (c *crawler) runBackfills(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	end := func() {}
	for {
		select {
		case <-ctx.Done():
			end()
			return
		case <-c.stops:
			end()
			running.Wait()
		case b := <-c.backfills:
			end()
			running.Wait()
			var one context.Context
			one, end = context.WithCancel(ctx)
			running.Go(func() {
				if err := c.backfill(one, b); err != nil && one.Err() == nil {
					c.logger.Error("Backfill failed", "err", err)
				}
			})
		}
	}
}

func (c *crawler) backfill(ctx context.Context, b backfill) error {
	ctx = instrument.WithPriority(ctx, instrument.Backfill)
	for again := true; again && ctx.Err() == nil; again = b.forever {
		to := time.Now().Add(-klineLate).Truncate(klineStep)
		for _, symbol := range symbols() {
			for from := to.Add(-b.span); from.Before(to); from = from.Add(time.Duration(b.page) * klineStep) {
				end := from.Add(time.Duration(b.page) * klineStep)
				if end.After(to) {
					end = to
				}
				if _, err := c.copyBars(ctx, symbol, from, end, b.page); err != nil {
					if !b.forever || ctx.Err() != nil {
						return err
					}
					c.logger.Warn("Page of the backfill failed", "err", err)
				}
			}
		}
	}
	return nil
}

// Symbols is of how many symbols the bars are stored.
const Symbols = 3

func symbols() [Symbols]string { return [Symbols]string{"BTCUSDT", "ETHUSDT", "SOLUSDT"} }
