package alerting

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	ackPrefix = "ack/" // + fingerprint, in the journal
	// maxAcks bounds the acknowledgements that are kept at a time.
	maxAcks = 10000
	// maxWordBytes bounds names and comments that people give.
	maxWordBytes = 1024
	// neverRepeat is a repeat_interval that nobody lives to see pass.
	neverRepeat = 10 * 365 * 24 * time.Hour
)

var (
	// ErrUnknownAlert says that no such alert fires.
	ErrUnknownAlert = errors.New("no such alert fires")
	// ErrNotAcknowledged says that nobody has acknowledged the alert.
	ErrNotAcknowledged = errors.New("the alert is not acknowledged")
	// ErrInvalid says that a request makes no sense as it is.
	ErrInvalid = errors.New("invalid request")
)

// Ack says who has taken an alert on. It ends with the alert.
type Ack struct {
	Fingerprint string         `json:"fingerprint"`
	Labels      model.LabelSet `json:"labels"`
	receiver.Acknowledgement
	// Until is when it ends even though the alert fires; zero means never.
	Until time.Time `json:"until,omitzero"`
	// Covers is the latest start of an alert that it holds for: one that fires
	// again after its end is another alert to people.
	Covers time.Time `json:"covers"`
}

// acks are the acknowledgements, in memory and in the journal. They only ever
// withhold repetitions: news of a group is told as always.
type acks struct {
	journal *journal

	mu   sync.Mutex
	live map[model.Fingerprint]Ack
}

func newAcks(j *journal, logger *slog.Logger) *acks {
	k := &acks{journal: j, live: make(map[model.Fingerprint]Ack)}
	j.each(ackPrefix, func(key string, value []byte) {
		var ack Ack
		fp, err := model.FingerprintFromString(key)
		if err = errors.Join(err, json.Unmarshal(value, &ack)); err != nil {
			logger.Error("An acknowledgement is forgotten", "alert", key, "err", err)
			return
		}
		k.live[fp] = ack
	})
	return k
}

func (ack Ack) holds(al *alert.Alert, now time.Time) bool {
	return (ack.Until.IsZero() || now.Before(ack.Until)) && !al.StartsAt.After(ack.Covers)
}

// of returns who has acknowledged which of the alerts, nil if nobody has.
func (k *acks) of(as []*alert.Alert) map[model.Fingerprint]receiver.Acknowledgement {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.live) == 0 {
		return nil
	}
	var found map[model.Fingerprint]receiver.Acknowledgement
	for _, al := range as {
		fp := al.Fingerprint()
		if ack, ok := k.live[fp]; ok && ack.holds(al, now) {
			if found == nil {
				found = make(map[model.Fingerprint]receiver.Acknowledgement)
			}
			found[fp] = ack.Acknowledgement
		}
	}
	return found
}

// withhold returns a context in which a group is not repeated if all of its
// firing alerts are acknowledged. An EndsAt that is not set marks those.
func (k *acks) withhold(ctx context.Context, group []*alert.Alert) context.Context {
	var firing []*alert.Alert
	for _, al := range group {
		if al.EndsAt.IsZero() {
			firing = append(firing, al)
		}
	}
	if len(firing) == 0 || len(k.of(firing)) < len(firing) {
		return ctx
	}
	return notify.WithRepeatInterval(ctx, neverRepeat)
}

// prune forgets the acknowledgements of alerts that have ended, under mu.
func (k *acks) prune(get func(model.Fingerprint) (*alert.Alert, error), now time.Time) {
	for fp, ack := range k.live {
		if al, err := get(fp); err != nil || al.ResolvedAt(now) || !ack.holds(al, now) {
			delete(k.live, fp)
			k.journal.delete(ackPrefix + fp.String())
		}
	}
}

// Acknowledge notes that somebody has taken a firing alert on, until the alert
// ends or, if it is not zero, until the given time. It returns when that is on
// disk.
func (a *Alerting) Acknowledge(ctx context.Context, fingerprint string, by receiver.Acknowledgement, until time.Time) (Ack, error) {
	now := time.Now()
	by.By, by.At = strings.TrimSpace(by.By), now.UTC()
	switch {
	case by.By == "":
		return Ack{}, fmt.Errorf("%w: say in `by` who takes the alert on", ErrInvalid)
	case len(by.By) > maxWordBytes || len(by.Comment) > maxWordBytes:
		return Ack{}, fmt.Errorf("%w: `by` and `comment` may have %d bytes each", ErrInvalid, maxWordBytes)
	case !until.IsZero() && !until.After(now):
		return Ack{}, fmt.Errorf("%w: `until` has passed already", ErrInvalid)
	}
	fp, al, err := a.firing(ctx, fingerprint)
	if err != nil {
		return Ack{}, err
	}
	ack := Ack{
		Fingerprint:     fp.String(),
		Labels:          al.Labels,
		Acknowledgement: by,
		Until:           until,
		Covers:          by.At,
	}
	if al.StartsAt.After(ack.Covers) { // By the sender's clock.
		ack.Covers = al.StartsAt
	}
	value, err := json.Marshal(ack)
	if err != nil {
		return Ack{}, fmt.Errorf("acknowledge %s: %w", fp, err)
	}

	a.acks.mu.Lock()
	a.acks.prune(a.alerts.Get, now)
	if _, again := a.acks.live[fp]; !again && len(a.acks.live) >= maxAcks {
		a.acks.mu.Unlock()
		return Ack{}, fmt.Errorf("%w: %d alerts are acknowledged already, which is the limit", ErrInvalid, maxAcks)
	}
	a.acks.live[fp] = ack
	a.journal.set(ackPrefix+fp.String(), entry{value: value, expires: until})
	a.acks.mu.Unlock()
	told := transitionOf(al, StateAcknowledged, by.At)
	told.From, told.By, told.Note = StateFiring, by.By, by.Comment
	a.outbox.told(told)
	// A disk that refuses has been reported; the acknowledgement is in force.
	_ = a.journal.awaitDisk(ctx)
	return ack, nil
}

func (a *Alerting) awaitStart(ctx context.Context) error {
	select {
	case <-a.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for alerting to start: %w", ctx.Err())
	}
}

// firing returns the alert with the fingerprint if it fires.
func (a *Alerting) firing(ctx context.Context, fingerprint string) (model.Fingerprint, *alert.Alert, error) {
	if err := a.awaitStart(ctx); err != nil {
		return 0, nil, err
	}
	fp, err := model.FingerprintFromString(fingerprint)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %q is no fingerprint; /api/v2/alerts has them", ErrInvalid, fingerprint)
	}
	al, err := a.alerts.Get(fp)
	if err != nil || al.Resolved() {
		return 0, nil, fmt.Errorf("alert %s: %w; it may have ended", fp, ErrUnknownAlert)
	}
	return fp, al, nil
}

// Unacknowledge takes an acknowledgement back.
func (a *Alerting) Unacknowledge(ctx context.Context, fingerprint string) error {
	fp, _, err := a.firing(ctx, fingerprint)
	if err != nil {
		return err
	}
	a.acks.mu.Lock()
	_, known := a.acks.live[fp]
	delete(a.acks.live, fp)
	a.journal.delete(ackPrefix + fp.String())
	a.acks.mu.Unlock()
	if !known {
		return fmt.Errorf("alert %s: %w", fp, ErrNotAcknowledged)
	}
	_ = a.journal.awaitDisk(ctx) // As in Acknowledge.
	return nil
}

// Acks returns the acknowledgements that are in force, the newest first.
func (a *Alerting) Acks(ctx context.Context) ([]Ack, error) {
	if err := a.awaitStart(ctx); err != nil {
		return nil, err
	}
	a.acks.mu.Lock()
	a.acks.prune(a.alerts.Get, time.Now())
	all := make([]Ack, 0, len(a.acks.live))
	for _, ack := range a.acks.live {
		all = append(all, ack)
	}
	a.acks.mu.Unlock()
	slices.SortFunc(all, func(x, y Ack) int {
		return cmp.Or(y.At.Compare(x.At), strings.Compare(x.Fingerprint, y.Fingerprint))
	})
	return all, nil
}
