package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// pnl is the profit of one account. Amounts are decimals, as texts.
type pnl struct {
	Account string `json:"account"`
	Fills   int64  `json:"fills"`
	Income  string `json:"income"`
}

// report answers what the traders ask: GET /pnl.
func report(ctx context.Context, s *service) error {
	s.routes.HandleFunc("GET /pnl", func(w http.ResponseWriter, r *http.Request) {
		rows, err := s.pnl(r.Context())
		if err != nil {
			s.logger.Error("Report failed", "err", err)
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(rows) // The client may have gone.
	})
	<-ctx.Done()
	return nil
}

// pnl adds in units of 1e-8, the smallest that an amount has: SQLite's own sum of
// decimals is a float.
func (s *service) pnl(ctx context.Context) (all []pnl, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	err = each(ctx, s.db.db, `SELECT a.name,
			(SELECT count(*) FROM ts_user_trades t WHERE t.account_id = a.id),
			(SELECT coalesce(sum(CAST(round(i.income * 100000000) AS BIGINT)), 0) FROM ts_future_incomes i WHERE i.account_id = a.id)
		FROM accounts a ORDER BY a.name`, nil, func(scan func(...any) error) error {
		var one pnl
		var units int64
		err := scan(&one.Account, &one.Fills, &units)
		one.Income = amount(units)
		all = append(all, one)
		return err
	})
	return all, err
}

// amount writes units of 1e-8 as a decimal.
func amount(units int64) string {
	const one = 100_000_000
	sign := ""
	if units < 0 {
		sign, units = "-", -units
	}
	return fmt.Sprintf("%s%d.%08d", sign, units/one, units%one)
}
