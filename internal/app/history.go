package app

import (
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/drill"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
	"github.com/hedgewatch/hedgewatch/internal/state"
	"github.com/hedgewatch/hedgewatch/internal/stream"
)

// recordTransition writes what happens to alerts into their history. It never
// blocks, as alerting asks for.
func (a *App) recordTransition(t alerting.Transition) {
	a.stream.Changed(stream.Alerts)
	if drill.IsCanary(t.Labels) {
		return // One a minute: the history would hold little else.
	}
	step := state.Transition{
		Time:        t.At,
		Fingerprint: t.Fingerprint.String(),
		Labels:      texts(t.Labels),
		Annotations: texts(t.Annotations),
		From:        string(t.From),
		To:          string(t.To),
		Value:       state.Value(t.Value),
		Receiver:    t.Receiver,
		MessageID:   t.MessageID,
		Who:         t.By,
		Note:        t.Note,
	}
	if t.Integration != "" {
		step.Receiver += "/" + t.Integration
	}
	a.state.Record(step)
}

// recordPending writes into the history that a condition holds, but not yet for
// long enough, or that it has ended before. It never blocks.
func (a *App) recordPending(p ruler.Pending) {
	a.stream.Changed(stream.Alerts)
	for _, al := range a.intake.Labelled(p.Alert) {
		step := state.Transition{
			Time:        p.At,
			Fingerprint: al.Fingerprint().String(),
			Labels:      texts(al.Labels),
			Annotations: texts(al.Annotations),
			To:          pending,
			Value:       state.Value(p.Value),
		}
		if p.Ended {
			step.From, step.To = pending, inactive
		}
		a.state.Record(step)
	}
}

// The states of alerts that alerting never hears of.
const (
	pending  = "pending"
	inactive = "inactive"
)

func texts(ls model.LabelSet) map[string]string {
	out := make(map[string]string, len(ls))
	for name, value := range ls {
		out[string(name)] = string(value)
	}
	return out
}
