package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/silence"
)

// muteWatch is the library's pipeline, and tells the history what its silences
// and inhibitions keep from people. That is known when a group is flushed, so a
// silence shows in the history after up to a group_interval.
type muteWatch struct {
	notify.Stage
	transitions *transitions
	silences    *silence.Silences
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
	switch {
	case len(status.InhibitedBy) > 0:
		to = StateInhibited // The library does not ask for silences then.
	case len(status.SilencedBy) > 0:
		to = StateSilenced
	}
	tr, changed := w.transitions.muted(al, to, time.Now())
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
	}
	w.transitions.report(tr)
}
