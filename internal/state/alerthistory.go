package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Transition is one step in the life of an alert.
type Transition struct {
	ID          int64             `json:"id"`
	Time        time.Time         `json:"time"`
	Fingerprint string            `json:"fingerprint"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// From and To are states: inactive, pending, firing, resolved, and what
	// people and receivers add: notified, acknowledged, silenced.
	From string `json:"from"`
	To   string `json:"to"`
	// Value is what the rule's expression had; NaN if there is none.
	Value Value `json:"value"`
	// Receiver and MessageID name the notification that this step is about.
	Receiver  string `json:"receiver,omitempty"`
	MessageID string `json:"messageId,omitempty"`
	// Who acted, if a person did.
	Who  string `json:"who,omitempty"`
	Note string `json:"note,omitempty"`
}

// Value is a sample's value in JSON: a string as in Prometheus' API, which may
// be "+Inf", or null.
type Value float64

// NoValue is the Value of a step that has none.
func NoValue() Value { return Value(math.NaN()) }

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) {
		return []byte("null"), nil
	}
	return json.Marshal(v.String())
}

// String returns the value as Prometheus writes it.
func (v Value) String() string { return strconv.FormatFloat(float64(v), 'g', -1, 64) }

// Record writes a step to the history. It never blocks: when the queue is full
// the step is counted in hedgewatch_state_dropped_entries_total and lost. The
// maps must not be changed afterwards.
func (s *State) Record(t Transition) {
	s.queue.put(entry{kindTransition, func(ctx context.Context, tx *sql.Tx) error { return writeTransition(ctx, tx, t) }})
}

func writeTransition(ctx context.Context, tx *sql.Tx, t Transition) error {
	labels, err := json.Marshal(t.Labels)
	if err != nil {
		return err
	}
	annotations, err := json.Marshal(t.Annotations)
	if err != nil {
		return err
	}
	// Labels are kept once for each alert, however often it fires.
	if _, err := tx.ExecContext(ctx, "INSERT INTO alerts (fingerprint, alertname, labels) VALUES (?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING",
		t.Fingerprint, t.Labels["alertname"], string(labels)); err != nil {
		return err
	}
	value := sql.NullFloat64{Float64: float64(t.Value), Valid: !math.IsNaN(float64(t.Value))}
	_, err = tx.ExecContext(ctx, "INSERT INTO transitions (at, alert, was, became, value, annotations, receiver, message, who, note) "+
		"VALUES (?, (SELECT id FROM alerts WHERE fingerprint = ?), ?, ?, ?, ?, ?, ?, ?, ?)",
		millis(t.Time), t.Fingerprint, t.From, t.To, value, string(annotations), t.Receiver, t.MessageID, t.Who, t.Note)
	return err
}

// TransitionFilter chooses from the history; zero fields choose all.
type TransitionFilter struct {
	From, To    time.Time
	Alertname   string
	Fingerprint string
	// Match decides by labels.
	Match func(labels map[string]string) bool
	// After is the step that the last page ended with.
	After Cursor
}

// Cursor is a place in the history, which has an order of its own: by time, and
// within a millisecond by arrival.
type Cursor struct {
	at, id int64
}

// CursorOf returns the place of a step.
func CursorOf(t Transition) Cursor { return Cursor{millis(t.Time), t.ID} }

// String returns what ParseCursor reads.
func (c Cursor) String() string { return fmt.Sprintf("%d.%d", c.at, c.id) }

// ParseCursor reads a cursor that we gave out; "" is the beginning.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	at, id, _ := strings.Cut(text, ".")
	a, errAt := strconv.ParseInt(at, 10, 64)
	i, errID := strconv.ParseInt(id, 10, 64)
	if errAt != nil || errID != nil {
		return Cursor{}, refuse(Invalid, "cursor %q: send the nextCursor of the last answer", text)
	}
	return Cursor{a, i}, nil
}

// where is the filter in SQL; Match is left to Go.
func (f TransitionFilter) where() (string, []any) {
	conditions, args := []string{"1"}, []any(nil)
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if !f.From.IsZero() {
		add("t.at >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		add("t.at <= ?", millis(f.To))
	}
	if f.Alertname != "" {
		add("a.alertname = ?", f.Alertname)
	}
	if f.Fingerprint != "" {
		add("a.fingerprint = ?", f.Fingerprint)
	}
	if f.After != (Cursor{}) {
		add("(t.at, t.id) < (?, ?)", f.After.at, f.After.id)
	}
	return strings.Join(conditions, " AND "), args
}

// Transitions calls yield with the steps that match, newest first, until it
// returns false. It may be called for a long history while others write.
func (s *State) Transitions(ctx context.Context, f TransitionFilter, yield func(Transition) bool) error {
	where, args := f.where()
	alerts := alertCache{match: f.Match, known: map[int64]*alert{}}
	err := queryAll(ctx, s.reader, func(scan func(...any) error) error {
		t, matches, err := scanTransition(scan, &alerts)
		if err != nil || !matches {
			return err
		}
		if !yield(t) {
			return errEnough
		}
		return nil
	}, `SELECT t.id, t.at, t.was, t.became, t.value, t.annotations, t.receiver, t.message, t.who, t.note, a.id, a.fingerprint, a.labels
		FROM transitions t JOIN alerts a ON a.id = t.alert WHERE `+where+` ORDER BY t.at DESC, t.id DESC`, args...)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a walk through the history.
var errEnough = errors.New("enough")

// alertCache remembers the alerts of one walk, which repeat.
type alertCache struct {
	match func(map[string]string) bool
	known map[int64]*alert
}

type alert struct {
	labels  map[string]string
	matches bool
}

// maxCachedAlerts bounds the memory of one walk.
const maxCachedAlerts = 10_000

func (c *alertCache) get(id int64, labels string) (*alert, error) {
	if a, ok := c.known[id]; ok {
		return a, nil
	}
	a := &alert{matches: true}
	if err := json.Unmarshal([]byte(labels), &a.labels); err != nil {
		return nil, err
	}
	if c.match != nil {
		a.matches = c.match(a.labels)
	}
	if len(c.known) < maxCachedAlerts {
		c.known[id] = a
	}
	return a, nil
}

func scanTransition(scan func(...any) error, alerts *alertCache) (t Transition, matches bool, err error) {
	var at, alertID int64
	var value sql.NullFloat64
	var annotations, labels sql.RawBytes
	if err := scan(&t.ID, &at, &t.From, &t.To, &value, &annotations, &t.Receiver, &t.MessageID, &t.Who, &t.Note, &alertID, &t.Fingerprint, &labels); err != nil {
		return t, false, err
	}
	a, err := alerts.get(alertID, string(labels))
	if err != nil || !a.matches {
		return t, false, err
	}
	t.Time, t.Labels, t.Value = fromMillis(at), a.labels, NoValue()
	if value.Valid {
		t.Value = Value(value.Float64)
	}
	return t, true, json.Unmarshal(annotations, &t.Annotations)
}

// tidyHistory deletes what is too old or too much, in pieces, so that nobody
// who saves something waits long.
func (s *State) tidyHistory(ctx context.Context, now time.Time) error {
	c := s.cfg.Load()
	oldest := millis(now.Add(-time.Duration(c.AlertHistory)))
	for {
		var deleted int64
		err := s.write(ctx, func(tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, `DELETE FROM transitions WHERE id IN (
				SELECT id FROM transitions WHERE at < ? OR id <= (SELECT max(id) FROM transitions) - ? LIMIT 2000)`, oldest, c.MaxTransitions)
			if err != nil {
				return err
			}
			deleted, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return err
		}
		if deleted == 0 {
			break
		}
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM alerts WHERE NOT EXISTS (SELECT 1 FROM transitions WHERE alert = alerts.id)")
		return err
	})
}
