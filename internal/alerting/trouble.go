package alerting

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	// troubleName is the alert that says that notifications do not arrive. Its
	// runbook is docs/runbooks/NotificationsNotDelivered.md.
	troubleName = "NotificationsNotDelivered"
	// troubleAfter is how long a message may wait before people hear of it.
	troubleAfter = time.Minute
	// troubleLook is how often destinations are looked at, troubleRepeat how
	// often the alert is repeated, and troubleEnds when it ends without that.
	troubleLook   = 5 * time.Second
	troubleRepeat = time.Minute
	troubleEnds   = 5 * time.Minute
)

// trouble is a destination's alert, as the journal keeps it.
type trouble struct {
	Since time.Time `json:"since"`
	// Direct are the destinations that were told past the routes, because these
	// lead only to destinations that do not work.
	Direct []string `json:"direct,omitempty"`

	repeated time.Time
}

// watch raises an alert about each destination that does not take its messages.
type watch struct {
	outbox *outbox
	put    func(context.Context, ...*alert.Alert) error
	// receivers says to which receivers an alert is routed.
	receivers func(model.LabelSet) []string
	raised    map[string]*trouble
}

func newWatch(o *outbox, put func(context.Context, ...*alert.Alert) error, receivers func(model.LabelSet) []string) *watch {
	w := &watch{outbox: o, put: put, receivers: receivers, raised: make(map[string]*trouble)}
	o.journal.each(undeliveredPrefix, func(name string, value []byte) {
		var t trouble
		if err := json.Unmarshal(value, &t); err != nil {
			return // It is raised anew if there still is trouble.
		}
		w.raised[name] = &t
	})
	return w
}

func (w *watch) run(ctx context.Context) {
	t := time.NewTicker(troubleLook)
	defer t.Stop()
	for {
		w.look(ctx, time.Now())
		select {
		case <-t.C:
		case <-w.outbox.trouble:
		case <-ctx.Done():
			return
		}
	}
}

// look raises, repeats and ends alerts.
func (w *watch) look(ctx context.Context, now time.Time) {
	bad := make(map[string]OutboxDestination)
	var well []*destination
	for _, d := range w.outbox.shown() {
		if s := d.status(now); s.State == destinationDead || s.Oldest != nil && now.Sub(*s.Oldest) > troubleAfter {
			bad[d.key.String()] = s
		} else {
			well = append(well, d)
		}
	}
	for name, s := range bad {
		t := w.raised[name]
		if t == nil {
			t = &trouble{Since: now}
			w.raised[name] = t
			w.save(name, t)
		}
		w.raise(ctx, name, t, s, well, now)
	}
	for name, t := range w.raised {
		if _, still := bad[name]; !still {
			w.end(ctx, name, t, now)
		}
	}
}

func (w *watch) raise(ctx context.Context, name string, t *trouble, s OutboxDestination, well []*destination, now time.Time) {
	if now.Sub(t.repeated) < troubleRepeat {
		return
	}
	t.repeated = now
	al := troubleAlert(s, t.Since)
	al.EndsAt = now.Add(troubleEnds)
	if err := w.put(ctx, al); err != nil {
		w.outbox.logger.Error("Nobody is told that notifications do not arrive", "destination", name, "err", err)
	}
	if len(t.Direct) > 0 || w.routed(al.Labels, well) {
		return
	}
	for _, d := range well {
		if w.tell(d, name, al, now) {
			t.Direct = append(t.Direct, d.key.String())
		}
	}
	w.save(name, t)
}

// routed reports whether an alert's routes lead to somebody who works.
func (w *watch) routed(labels model.LabelSet, well []*destination) bool {
	receivers := w.receivers(labels)
	return slices.ContainsFunc(well, func(d *destination) bool { return slices.Contains(receivers, d.key.Receiver) })
}

func (w *watch) end(ctx context.Context, name string, t *trouble, now time.Time) {
	d := w.outbox.destination(name)
	if d == nil { // Not configured any more: the alert ends by itself.
		delete(w.raised, name)
		return
	}
	al := troubleAlert(d.status(now), t.Since)
	al.EndsAt = now
	if err := w.put(ctx, al); err != nil {
		w.outbox.logger.Error("Nobody is told that notifications arrive again", "destination", name, "err", err)
		return // The next look tries again.
	}
	for _, other := range t.Direct {
		if d := w.outbox.destination(other); d != nil {
			w.tell(d, name, al, now)
		}
	}
	delete(w.raised, name)
	w.outbox.journal.delete(undeliveredPrefix + name)
}

// tell puts an alert into a destination's queue, past the routes.
func (w *watch) tell(d *destination, about string, al *alert.Alert, now time.Time) bool {
	told := *al
	reason := receiver.ReasonResolved
	if told.EndsAt.After(now) {
		told.EndsAt, reason = time.Time{}, receiver.ReasonFiring // as the dispatcher marks what fires
	}
	err := d.put(&groupState{
		ID: newMessageID(now), Destination: d.key, Seq: w.outbox.seq.Add(1),
		GroupKey: undeliveredPrefix + about, GroupLabels: al.Labels, Alerts: []*alert.Alert{&told},
		Reason: reason, QueuedAt: now, Since: now,
	}, now)
	return err == nil // A full queue is in trouble itself.
}

func (w *watch) save(name string, t *trouble) {
	value, err := json.Marshal(t)
	if err != nil { // Names and times always marshal.
		return
	}
	w.outbox.journal.set(undeliveredPrefix+name, entry{value: value})
}

func troubleAlert(s OutboxDestination, since time.Time) *alert.Alert {
	description := fmt.Sprintf("%d message(s) wait for %s of receiver %s.", s.Waiting, s.Integration, s.Receiver)
	if s.LastError != "" {
		description += " The last attempt said: " + s.LastError
	}
	return &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{
			model.AlertNameLabel: troubleName,
			"receiver":           model.LabelValue(s.Receiver),
			"integration":        model.LabelValue(fmt.Sprintf("%s[%d]", s.Integration, s.Index)),
			"severity":           "critical",
		},
		Annotations: model.LabelSet{
			"summary":     model.LabelValue(fmt.Sprintf("Notifications do not reach receiver %s.", s.Receiver)),
			"description": model.LabelValue(description),
			"runbook_url": "https://github.com/hedgewatch/hedgewatch/blob/main/docs/runbooks/NotificationsNotDelivered.md",
		},
		StartsAt: since,
	}}
}

// withoutTrouble leaves out what a destination would be told about itself.
func withoutTrouble(d destinationKey, alerts []*alert.Alert) []*alert.Alert {
	itself := func(a *alert.Alert) bool {
		return a.Name() == troubleName && string(a.Labels["receiver"]) == d.Receiver &&
			string(a.Labels["integration"]) == fmt.Sprintf("%s[%d]", d.Integration, d.Index)
	}
	if !slices.ContainsFunc(alerts, itself) {
		return alerts
	}
	return slices.DeleteFunc(slices.Clone(alerts), itself)
}
