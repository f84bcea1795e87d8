package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const (
	requestTimeout = 20 * time.Second
	// maxAnswerBytes bounds an answer; 1500 bars take some 300 kB.
	maxAnswerBytes = 8 << 20
	// maxPause bounds how long one refusal keeps the audit quiet.
	maxPause = 15 * time.Minute
)

// exchange asks for what should be there, inside a budget of request weight.
type exchange struct {
	client http.Client
	base   func(market string) string
	table  *binance.Table

	mu      sync.Mutex
	budgets map[string]*budget
	limit   int64 // weight per minute and market
}

// budget is the weight that was used in a minute of the clock, as the exchange
// counts it.
type budget struct {
	minute int64
	used   int64
	until  time.Time // nothing is asked before
}

func newExchange(d Deps, limit int64) (*exchange, error) {
	table, err := binance.DefaultTable()
	if err != nil {
		return nil, err
	}
	return &exchange{
		client: http.Client{Transport: d.Transport, Timeout: requestTimeout}, base: d.BaseURL, table: table,
		budgets: map[string]*budget{}, limit: limit,
	}, nil
}

// acquire waits until the weight fits into a minute's budget.
func (x *exchange) acquire(ctx context.Context, market string, weight int64) error {
	for {
		now := time.Now()
		x.mu.Lock()
		b := x.budgets[market]
		if b == nil {
			b = &budget{}
			x.budgets[market] = b
		}
		if minute := now.Unix() / 60; minute != b.minute {
			b.minute, b.used = minute, 0
		}
		wait := b.until.Sub(now)
		if wait <= 0 && (b.used+weight <= x.limit || b.used == 0) {
			b.used += weight
			x.mu.Unlock()
			return nil
		}
		x.mu.Unlock()
		if wait <= 0 {
			wait = time.Unix((now.Unix()/60+1)*60, 0).Sub(now)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// get asks for a list. A refusal keeps the market quiet for as long as it says.
func (x *exchange) get(ctx context.Context, market, path string, query url.Values, account *Account, answer any) error {
	if err := x.acquire(ctx, market, x.weight(path, query)); err != nil {
		return err
	}
	text := query.Encode()
	if account != nil {
		query.Set("timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
		text = query.Encode()
		mac := hmac.New(sha256.New, []byte(account.Secret))
		mac.Write([]byte(text))
		text += "&signature=" + hex.EncodeToString(mac.Sum(nil))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.base(market)+path+"?"+text, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Hedgewatch-Client", "audit")
	req.Header.Set("X-Hedgewatch-Priority", "backfill")
	if account != nil {
		req.Header.Set("X-Mbx-Apikey", string(account.Key))
	}
	res, err := x.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // The URL has a signature.
		}
		return fmt.Errorf("ask the exchange for %s: %w", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	if err != nil {
		return fmt.Errorf("ask the exchange for %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		x.pause(market, res)
		return fmt.Errorf("ask the exchange for %s: %d: %w", path, res.StatusCode, binance.ReadError(res.StatusCode, body))
	}
	if len(body) > maxAnswerBytes {
		return fmt.Errorf("ask the exchange for %s: the answer is longer than %d bytes", path, maxAnswerBytes)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(answer); err != nil {
		return fmt.Errorf("ask the exchange for %s: %w", path, err)
	}
	return nil
}

func (x *exchange) weight(path string, query url.Values) int64 {
	return max(1, x.table.Cost(http.MethodGet, path, query.Encode()).Weight)
}

func (x *exchange) pause(market string, res *http.Response) {
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusTeapot, http.StatusForbidden, http.StatusServiceUnavailable:
	default:
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.budgets[market].until = time.Now().Add(min(max(binance.RetryAfter(res.Header), 10*time.Second), maxPause))
}

func klinesPath(market string) string {
	return map[string]string{"spot": "/api/v3/klines", "usdm": "/fapi/v1/klines", "coinm": "/dapi/v1/klines"}[market]
}

// request is one page of bars.
type request struct {
	path  string
	query url.Values
}

// klineRequests are the requests for a range that cost least: a page of 1000
// costs 2 on spot; on futures one of 499 costs 2, and one of 1500 costs 10.
func (x *exchange) klineRequests(s Series, from, to time.Time) []request {
	c := newCalendar(s.Interval)
	path := klinesPath(s.Market)
	make1 := func(at int64, end int64, limit int64) request {
		return request{path, url.Values{
			"symbol": {s.Symbol}, "interval": {string(s.Interval)}, "limit": {strconv.FormatInt(limit, 10)},
			"startTime": {strconv.FormatInt(at/1000, 10)}, "endTime": {strconv.FormatInt(end/1000-1, 10)},
		}}
	}
	best, most := int64(0), 0.0
	for _, limit := range []int64{99, 499, 1000, 1500} {
		if s.Market == "spot" && limit > 1000 {
			break
		}
		w := x.weight(path, make1(0, 1000, limit).query)
		if rows := float64(limit) / float64(w); rows > most {
			best, most = limit, rows
		}
	}
	var list []request
	for at := from.UnixMicro(); at < to.UnixMicro(); {
		end := at
		n := int64(0)
		for end < to.UnixMicro() && n < best {
			end = c.next(end)
			n++
		}
		list = append(list, make1(at, min(end, to.UnixMicro()), n))
		at = end
	}
	return list
}

// klines returns the exchange's bars that open in [from, to), which must have
// closed.
func (x *exchange) klines(ctx context.Context, s Series, from, to time.Time) ([]Kline, error) {
	var bars []Kline
	for _, r := range x.klineRequests(s, from, to) {
		var page [][]json.RawMessage
		if err := x.get(ctx, s.Market, r.path, r.query, nil, &page); err != nil {
			return nil, err
		}
		for _, row := range page {
			k, err := parseKline(row)
			if err != nil {
				return nil, fmt.Errorf("bar of the exchange for %s: %w", s, err)
			}
			if k.OpenTime >= from.UnixMicro() && k.OpenTime < to.UnixMicro() {
				bars = append(bars, k)
			}
		}
	}
	return bars, nil
}

func parseKline(row []json.RawMessage) (k Kline, err error) {
	if len(row) < 11 {
		return k, fmt.Errorf("has %d columns instead of 12", len(row))
	}
	var errs []error
	number := func(i int) Decimal {
		d, err := ParseDecimal(bytes.Trim(row[i], `"`))
		errs = append(errs, err)
		return d
	}
	whole := func(i int) int64 {
		n, err := strconv.ParseInt(string(row[i]), 10, 64)
		errs = append(errs, err)
		return n
	}
	stamp := func(i int) int64 {
		us, _, err := Micros(whole(i))
		errs = append(errs, err)
		return us
	}
	k = Kline{
		OpenTime: stamp(0), Open: number(1), High: number(2), Low: number(3), Close: number(4), Volume: number(5), CloseTime: stamp(6),
		QuoteVolume: number(7), Trades: whole(8), TakerBase: number(9), TakerQuote: number(10), Has: AllColumns,
	}
	return k, errors.Join(errs...)
}

// endOf is where a request of klineRequests ends.
func endOf(r request) time.Time {
	ms, _ := strconv.ParseInt(r.query.Get("endTime"), 10, 64) // It was written above.
	return time.UnixMilli(ms + 1).UTC()
}
