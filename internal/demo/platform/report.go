package platform

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/jackc/pgx/v5"
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

func (s *service) pnl(ctx context.Context) ([]pnl, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, err := s.db.Query(ctx, `SELECT a.name,
			(SELECT count(*) FROM ts_user_trades t WHERE t.account_id = a.id),
			(SELECT coalesce(sum(i.income), 0)::text FROM ts_future_incomes i WHERE i.account_id = a.id)
		FROM accounts a ORDER BY a.name`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pnl, err error) {
		err = row.Scan(&p.Account, &p.Fills, &p.Income)
		return p, err
	})
}
