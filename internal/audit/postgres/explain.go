package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxScanCost is what a scan of a whole table may cost by the planner's estimate;
// one page of 8 KiB costs 1, so it is a table of some 40 MB.
const maxScanCost = 5_000

// plan is what matters of a node of EXPLAIN (FORMAT JSON).
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Cost     float64 `json:"Total Cost"`
	Plans    []plan  `json:"Plans"`
}

func (p plan) scan() (string, float64) {
	if p.Node == "Seq Scan" && p.Cost > maxScanCost {
		return p.Relation, p.Cost
	}
	for _, child := range p.Plans {
		if name, cost := child.scan(); name != "" {
			return name, cost
		}
	}
	return "", 0
}

// checkIndex asks the planner how it would read a page of some series, for the
// middle of time, where an index matters.
func (t *Table) checkIndex(ctx context.Context, conn *pgx.Conn) error {
	s := t.series(nil, nil)
	var keys, columns []string
	for _, field := range t.shape.keys {
		if _, ok := t.columns[field]; ok {
			keys = append(keys, field)
			columns = append(columns, t.quoted(field)+"::text")
		}
	}
	if len(keys) > 0 {
		values := make([][]byte, len(keys))
		targets := make([]any, len(keys))
		for i := range values {
			targets[i] = &values[i]
		}
		row := conn.QueryRow(ctx, fmt.Sprintf("SELECT %s FROM %s LIMIT 1", strings.Join(columns, ", "), quote(t.mapping.Table)))
		if err := row.Scan(targets...); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		s = t.series(keys, values)
	}
	sql, args := t.pageSQL(s)
	from := time.Now().Add(-time.Hour)
	args = append(args, t.stored(from), t.stored(from.Add(time.Minute)))
	p, err := explain(ctx, conn, sql, args...)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.mapping.Table, err)
	}
	if name, cost := p.scan(); name != "" {
		var index []string
		for _, field := range append(keys, t.shape.time) {
			index = append(index, t.columns[field].name)
		}
		return fmt.Errorf("table %s: reading an hour of one series would read all of %s (cost %.0f); CREATE INDEX CONCURRENTLY ON %s (%s)",
			t.mapping.Table, name, cost, t.mapping.Table, strings.Join(index, ", "))
	}
	return nil
}

// explain asks the planner how it would run a statement.
func explain(ctx context.Context, conn *pgx.Conn, sql string, args ...any) (plan, error) {
	args = append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	var text string
	if err := conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+sql, args...).Scan(&text); err != nil {
		return plan{}, err
	}
	var answer []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer) == 0 {
		return plan{}, fmt.Errorf("plan of PostgreSQL not understood: %w", err)
	}
	return answer[0].Plan, nil
}

// checkKeys refuses a table with rows that belong to no series, because a key is
// NULL. It does not look where that would read a large table whole.
func (t *Table) checkKeys(ctx context.Context, conn *pgx.Conn) error {
	for _, field := range t.shape.keys {
		c, ok := t.columns[field]
		if !ok || c.notNull {
			continue
		}
		sql := fmt.Sprintf("SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", quote(t.mapping.Table), t.quoted(field))
		p, err := explain(ctx, conn, sql)
		if err != nil {
			return err
		}
		if name, _ := p.scan(); name != "" {
			continue
		}
		var one int
		switch err := conn.QueryRow(ctx, sql).Scan(&one); {
		case err == nil:
			return fmt.Errorf("table %s: column %s is NULL in some rows, which belong to no series and would not be verified; give them one, or make the column NOT NULL", t.mapping.Table, c.name)
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
	}
	return nil
}
