package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

const (
	// pageEntries is the most that the exchange gives at once; API docs, 2026-07.
	pageEntries = 1000
	// maxPages bounds what one range may take.
	maxPages = 100
)

// window is the longest range that one request for an account's rows may ask for;
// API docs, 2026-07.
func window(market string) time.Duration {
	if market == "spot" {
		return day
	}
	return 7 * day
}

// entries returns the exchange's fills or incomes of an account in [from, to),
// which is no longer than window.
func (x *exchange) entries(ctx context.Context, s Series, a *Account, from, to time.Time) ([]Entry, error) {
	path, next := fillsPath(s.Market), nextByID
	if s.Dataset == Incomes {
		path, next = incomePath(s.Market), nextPage
	}
	if path == "" {
		return nil, fmt.Errorf("%s of market %s cannot be asked for", s.Dataset, s.Market)
	}
	query := url.Values{"limit": {strconv.Itoa(pageEntries)}}
	query.Set("startTime", strconv.FormatInt(from.UnixMilli(), 10))
	query.Set("endTime", strconv.FormatInt(to.UnixMilli()-1, 10))
	if s.Dataset == UserTrades {
		query.Set("symbol", s.Symbol)
	}
	var all []Entry
	for range maxPages {
		var page []accountRow
		if err := x.get(ctx, s.Market, path, query, a, &page); err != nil {
			return nil, err
		}
		for _, row := range page {
			e, err := row.entry(s.Dataset)
			if err != nil {
				return nil, fmt.Errorf("row of the exchange for %s: %w", s, err)
			}
			if e.Time >= to.UnixMicro() {
				return all, nil
			}
			if e.Time >= from.UnixMicro() {
				all = append(all, e)
			}
		}
		if len(page) < pageEntries {
			return all, nil
		}
		query.Del("timestamp")
		next(query, all)
	}
	return nil, fmt.Errorf("more than %d pages of %s in %s", maxPages, s, to.Sub(from))
}

// nextByID goes on behind the last fill; the exchange takes no times with an id.
func nextByID(query url.Values, all []Entry) {
	query.Del("startTime")
	query.Del("endTime")
	if len(all) > 0 {
		query.Set("fromId", strconv.FormatInt(all[len(all)-1].ID+1, 10))
	}
}

func nextPage(query url.Values, _ []Entry) {
	page, _ := strconv.Atoi(query.Get("page")) // The first request has none.
	query.Set("page", strconv.Itoa(max(page, 1)+1))
}

func fillsPath(market string) string {
	return map[string]string{"spot": "/api/v3/myTrades", "usdm": "/fapi/v1/userTrades", "coinm": "/dapi/v1/userTrades"}[market]
}

func incomePath(market string) string {
	return map[string]string{"usdm": "/fapi/v1/income", "coinm": "/dapi/v1/income"}[market]
}

// accountRow is a fill or an income as the exchange writes it.
type accountRow struct {
	ID          json.Number `json:"id"`
	TranID      json.Number `json:"tranId"`
	IncomeType  string      `json:"incomeType"`
	Time        int64       `json:"time"`
	Price       string      `json:"price"`
	Qty         string      `json:"qty"`
	QuoteQty    string      `json:"quoteQty"`
	Commission  string      `json:"commission"`
	RealizedPnl string      `json:"realizedPnl"`
	Income      string      `json:"income"`
	Asset       string      `json:"asset"`
	CommAsset   string      `json:"commissionAsset"`
}

func (r accountRow) entry(dataset string) (e Entry, err error) {
	id, texts := r.ID, []string{r.Price, r.Qty, r.QuoteQty, r.Commission, r.RealizedPnl}
	if dataset == Incomes {
		id, texts = r.TranID, []string{r.Income}
	}
	var errs []error
	e.ID, err = id.Int64()
	errs = append(errs, err)
	e.Type, e.Asset = r.IncomeType, r.CommAsset
	if dataset == Incomes {
		e.Asset = r.Asset
	}
	e.Time, _, err = Micros(r.Time)
	errs = append(errs, err)
	for i, text := range texts {
		if text == "" {
			continue
		}
		e.Known |= 1 << i
		e.Amounts[i], err = ParseDecimal([]byte(text))
		errs = append(errs, err)
	}
	return e, errors.Join(errs...)
}
