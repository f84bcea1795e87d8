package state

import (
	"context"
	"database/sql"
	"time"
)

// Change is an entry of the log of changes: who did what, when, from where.
type Change struct {
	ID     int64     `json:"id"`
	Time   time.Time `json:"time"`
	Who    string    `json:"who"`
	Client string    `json:"client"`
	// Action is a method and a path with its parameters' names, such as
	// "PUT /api/hw/v1/dashboards/{uid}".
	Action string `json:"action"`
	// Object is the path that was asked for.
	Object string `json:"object"`
	// Status is that of the answer.
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// maxDetail bounds what a request can put into the log.
const maxDetail = 1000

// LogChange writes c to the log of changes. It never blocks; see the metric
// hedgewatch_state_dropped_entries_total.
func (s *State) LogChange(c Change) {
	c.Object, c.Detail = cut(c.Object), cut(c.Detail)
	s.queue.put(entry{kindChange, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO changes (at, who, client, action, object, status, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
			millis(c.Time), c.Who, c.Client, c.Action, c.Object, c.Status, c.Detail)
		return err
	}})
}

func cut(s string) string {
	if len(s) > maxDetail {
		return s[:maxDetail] + "…"
	}
	return s
}

// Changes returns up to limit entries before the one with the given ID, newest
// first; before 0 begins with the newest.
func (s *State) Changes(ctx context.Context, before int64, limit int) ([]Change, error) {
	changes := []Change{}
	err := s.query(ctx, func(scan func(...any) error) error {
		var c Change
		var at int64
		if err := scan(&c.ID, &at, &c.Who, &c.Client, &c.Action, &c.Object, &c.Status, &c.Detail); err != nil {
			return err
		}
		c.Time = fromMillis(at)
		changes = append(changes, c)
		return nil
	}, "SELECT id, at, who, client, action, object, status, detail FROM changes WHERE ? = 0 OR id < ? ORDER BY id DESC LIMIT ?",
		before, before, limit)
	return changes, err
}

func (s *State) tidyChanges(ctx context.Context) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ?", s.cfg.Load().MaxChanges)
		return err
	})
}
