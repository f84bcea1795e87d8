package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/silence"
)

// muteWatch is the library's pipeline, and tells the history what its silences,
// inhibitions and time intervals keep from people. That is known when a group is
// flushed, so a silence shows in the history after up to a group_interval.
type muteWatch struct {
	notify.Stage
	alerts   *alerts
	silences *silence.Silences
	routes   *dispatch.Route
	groups   marker.GroupMarker
}

// Exec implements notify.Stage.
func (w muteWatch) Exec(ctx context.Context, l *slog.Logger, as ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	next, sent, err := w.Stage.Exec(ctx, l, as...)
	if marks, ok := marker.FromContext(ctx); ok {
		for _, al := range as {
			if al.EndsAt.IsZero() { // how the dispatcher marks what fires
				w.note(ctx, al, marks.Status(al.Fingerprint()))
			}
		}
	}
	return next, sent, err
}

func (w muteWatch) note(ctx context.Context, al *alert.Alert, status alert.AlertStatus) {
	to := StateFiring
	intervals := w.intervals(al)
	switch {
	case len(status.InhibitedBy) > 0:
		to = StateInhibited // The library does not ask for silences then.
	case len(intervals) > 0:
		to = StateMuted // Nor then.
	case len(status.SilencedBy) > 0:
		to = StateSilenced
	}
	tr, changed := w.alerts.muted(al, to)
	if !changed {
		return
	}
	switch to {
	case StateSilenced:
		tr.Note = "silence " + status.SilencedBy[0]
		s, err := w.silences.QueryOne(ctx, silence.QIDs(status.SilencedBy[0]))
		if err == nil { // Else it is gone already.
			tr.By, tr.Note = s.CreatedBy, fmt.Sprintf("%s: %s", tr.Note, s.Comment)
		}
	case StateInhibited:
		tr.Note = "by alert " + status.InhibitedBy[0]
	case StateMuted:
		tr.Note = "by " + strings.Join(intervals, ", ")
	}
	w.alerts.transitions.report(tr)
}

// intervals are the time intervals for which no route of an alert tells of it
// now; none if one does.
func (w muteWatch) intervals(al *alert.Alert) (names []string) {
	for _, r := range w.routes.Match(al.Labels) {
		by, muted := w.groups.Muted(r.ID(), groupKey(r, al.Labels))
		if !muted {
			return nil
		}
		names = append(names, by...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
