package alerting

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// DefaultDeliveries and MaxDeliveries bound how many a query returns.
	DefaultDeliveries = 100
	MaxDeliveries     = 1000
	// longestAttempt is a bound for the time from an attempt to its record.
	longestAttempt = 10 * time.Minute
)

// ErrUnknownMessage says that the ledger knows no such message.
var ErrUnknownMessage = errors.New("the delivery ledger has no such message")

// DeliveryQuery says which deliveries to return. Zero fields match everything.
type DeliveryQuery struct {
	ID          string
	Receiver    string
	GroupKey    string
	Fingerprint string
	Outcome     Outcome
	// From and To bound the time of the attempt, both included.
	From, To time.Time
	// Limit is DefaultDeliveries if zero, and at most MaxDeliveries.
	Limit int
}

func (q DeliveryQuery) matches(d *Delivery) bool {
	return (q.ID == "" || q.ID == d.ID) &&
		(q.Receiver == "" || q.Receiver == d.Receiver) &&
		(q.GroupKey == "" || q.GroupKey == d.GroupKey) &&
		(q.Outcome == "" || q.Outcome == d.Outcome) &&
		(q.From.IsZero() || !d.AttemptedAt.Before(q.From)) &&
		(q.To.IsZero() || !d.AttemptedAt.After(q.To)) &&
		(q.Fingerprint == "" || slices.ContainsFunc(d.Alerts, func(a DeliveredAlert) bool { return a.Fingerprint == q.Fingerprint }))
}

// needles are texts that every matching record contains. Looking for them first
// spares the decoding of most others.
func (q DeliveryQuery) needles() [][]byte {
	var needles [][]byte
	for _, text := range []string{q.Receiver, q.GroupKey, q.Fingerprint, string(q.Outcome)} {
		if text == "" {
			continue
		}
		if quoted, err := json.Marshal(text); err == nil {
			needles = append(needles, quoted)
		}
	}
	return needles
}

// Deliveries returns attempts from the ledger, the newest first.
func (a *Alerting) Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error) {
	return a.outbox.ledger.query(ctx, q)
}

func (l *ledger) query(ctx context.Context, q DeliveryQuery) ([]Delivery, error) {
	if q.Limit <= 0 {
		q.Limit = DefaultDeliveries
	}
	q.Limit = min(q.Limit, MaxDeliveries)
	if made, ok := idTime(q.ID); ok && q.From.Before(made) {
		q.From = made // Nobody attempts a message that is not.
	}
	segments, err := l.segments()
	if err != nil {
		return nil, fmt.Errorf("read delivery ledger: %w", err)
	}
	found := []Delivery{}
	for i, s := range slices.Backward(segments) {
		if !q.To.IsZero() && s.start.After(q.To.Add(longestAttempt)) {
			continue
		}
		if i+1 < len(segments) && !q.From.IsZero() && segments[i+1].start.Before(q.From) {
			break // It ended before, and so did all older ones.
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read delivery ledger: %w", err)
		}
		if found, err = l.search(s, q, found); err != nil {
			return nil, err
		}
		if len(found) == q.Limit {
			break
		}
	}
	return found, nil
}

// search appends the matching records of a segment, the newest first.
func (l *ledger) search(s segment, q DeliveryQuery, found []Delivery) ([]Delivery, error) {
	data, err := os.ReadFile(filepath.Join(l.dir, s.name))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil // Its time came while we were reading.
	}
	if err != nil {
		return nil, fmt.Errorf("read delivery ledger: %w", err)
	}
	needles := q.needles()
	var candidates [][]byte
	// What is torn or damaged is left out; the rest is as good as it was.
	_ = readRecords(data, func(r record) {
		if q.ID != "" && r.key != q.ID {
			return
		}
		for _, needle := range needles {
			if !bytes.Contains(r.value, needle) {
				return
			}
		}
		candidates = append(candidates, r.value)
	})
	for _, value := range slices.Backward(candidates) {
		if len(found) == q.Limit {
			break
		}
		var d Delivery
		if err := json.Unmarshal(value, &d); err == nil && q.matches(&d) {
			found = append(found, d)
		}
	}
	return found, nil
}
