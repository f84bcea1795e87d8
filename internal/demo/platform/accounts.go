package platform

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/instrument"
)

const (
	// fillsEvery and incomesEvery keep three accounts below a third of the weight
	// that USDⓈ-M allows in a minute: userTrades weighs 5 and income 30; API docs,
	// 2026-05.
	fillsEvery   = 4 * time.Second
	incomesEvery = 20 * time.Second
	// overlap is asked for again, so that a row that the exchange shows late is not
	// lost.
	overlap = time.Minute
)

// fillSymbols are those on which orders are placed.
func fillSymbols() []string { return []string{"BTCUSDT", "ETHUSDT"} }

type fill struct {
	ID              int64  `json:"id"`
	OrderID         int64  `json:"orderId"`
	Price           string `json:"price"`
	Qty             string `json:"qty"`
	QuoteQty        string `json:"quoteQty"`
	Commission      string `json:"commission"`
	CommissionAsset string `json:"commissionAsset"`
	RealizedPnl     string `json:"realizedPnl"`
	Side            string `json:"side"`
	PositionSide    string `json:"positionSide"`
	Buyer           bool   `json:"buyer"`
	Maker           bool   `json:"maker"`
	Time            int64  `json:"time"`
}

type income struct {
	Symbol  string `json:"symbol"`
	Type    string `json:"incomeType"`
	Income  string `json:"income"`
	Asset   string `json:"asset"`
	Info    string `json:"info"`
	Time    int64  `json:"time"`
	TranID  int64  `json:"tranId"`
	TradeID string `json:"tradeId"`
}

// crawlAccounts stores fills and incomes of all accounts.
func crawlAccounts(ctx context.Context, s *service) error {
	fills, incomes, err := s.accountTrackers()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	errs := make(chan error, 2) // One for each job.
	running.Go(func() {
		defer cancel()
		errs <- s.repeat(ctx, "user-trades", fillsEvery, func(ctx context.Context) error { return s.syncFills(ctx, fills) })
	})
	running.Go(func() {
		defer cancel()
		errs <- s.repeat(ctx, "incomes", incomesEvery, func(ctx context.Context) error { return s.syncIncomes(ctx, incomes) })
	})
	running.Wait()
	first, second := <-errs, <-errs
	if first != nil {
		return first
	}
	return second
}

type fillKey struct{ account, symbol string }

func (s *service) accountTrackers() (map[fillKey]*instrument.UserTradeTracker, map[string]*instrument.IncomeTracker, error) {
	fills, incomes := map[fillKey]*instrument.UserTradeTracker{}, map[string]*instrument.IncomeTracker{}
	for _, a := range s.config.Accounts {
		tracker, err := s.sync.Income(instrument.Dataset{Market: instrument.USDM, Account: a.Name})
		if err != nil {
			return nil, nil, err
		}
		incomes[a.Name] = tracker
		for _, symbol := range fillSymbols() {
			tracker, err := s.sync.UserTrade(instrument.Dataset{Market: instrument.USDM, Account: a.Name, Symbol: symbol})
			if err != nil {
				return nil, nil, err
			}
			fills[fillKey{a.Name, symbol}] = tracker
		}
	}
	return fills, incomes, nil
}

// since is from when rows of an account are asked for: a little before the newest.
func (s *service) since(ctx context.Context, query string, args ...any) (string, error) {
	newest, err := s.db.newest(ctx, query, args...)
	if err != nil {
		return "", err
	}
	from := time.Now().Add(-24 * time.Hour)
	if !newest.IsZero() {
		from = newest.Add(-overlap)
	}
	return strconv.FormatInt(from.UnixMilli(), 10), nil
}

func (s *service) syncFills(ctx context.Context, trackers map[fillKey]*instrument.UserTradeTracker) error {
	for _, a := range s.config.Accounts {
		for _, symbol := range fillSymbols() {
			if err := s.syncFillsOf(ctx, a, symbol, trackers[fillKey{a.Name, symbol}]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *service) syncFillsOf(ctx context.Context, a Account, symbol string, tracker *instrument.UserTradeTracker) error {
	from, err := s.since(ctx, `SELECT time FROM ts_user_trades WHERE account_id = $1 AND symbol = $2 ORDER BY time DESC LIMIT 1`, a.ID, symbol)
	if err != nil {
		return err
	}
	var rows []fill
	p := url.Values{"symbol": {symbol}, "startTime": {from}, "limit": {"1000"}}
	if err := s.exchange.ask(ctx, http.MethodGet, "/fapi/v1/userTrades", a.Name, p, &rows); err != nil {
		return err
	}
	var table [][]any
	for _, f := range rows {
		table = append(table, []any{
			f.Buyer, f.Commission, f.CommissionAsset, f.ID, f.Maker, f.OrderID, f.Price, f.Qty, f.QuoteQty,
			f.RealizedPnl, f.Side, f.PositionSide, symbol, time.UnixMilli(f.Time), f.Time, a.ID,
		})
	}
	fresh, err := s.db.insert(ctx, `ts_user_trades (buyer, commission, commission_asset, trade_id, maker, order_id, price, qty, quote_qty,
		realized_pnl, side, position_side, symbol, time, time_unix, account_id)`, "CAST(trade_id AS text)", table)
	for _, f := range rows {
		if fresh[strconv.FormatInt(f.ID, 10)] {
			tracker.Stored(f.ID, time.UnixMilli(f.Time))
		}
	}
	return err
}

func (s *service) syncIncomes(ctx context.Context, trackers map[string]*instrument.IncomeTracker) error {
	for _, a := range s.config.Accounts {
		from, err := s.since(ctx, `SELECT time FROM ts_future_incomes WHERE account_id = $1 ORDER BY time_unix DESC LIMIT 1`, a.ID)
		if err != nil {
			return err
		}
		var rows []income
		p := url.Values{"startTime": {from}, "limit": {"1000"}}
		if err := s.exchange.ask(ctx, http.MethodGet, "/fapi/v1/income", a.Name, p, &rows); err != nil {
			return err
		}
		var table [][]any
		for _, r := range rows {
			table = append(table, []any{a.ID, r.Symbol, r.Type, r.Income, r.Asset, r.Info, time.UnixMilli(r.Time), r.Time, r.TradeID, strconv.FormatInt(r.TranID, 10)})
		}
		fresh, err := s.db.insert(ctx, `ts_future_incomes (account_id, symbol, income_type, income, asset, info, time, time_unix, trade_id, tran_id)`,
			"income_type || tran_id", table)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if fresh[r.Type+strconv.FormatInt(r.TranID, 10)] {
				trackers[a.Name].Stored(r.Type, r.TranID, time.UnixMilli(r.Time))
			}
		}
	}
	return nil
}
