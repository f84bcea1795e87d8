package app

import (
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/drill"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

// recordTransition writes what happens to alerts into their history. It never
// blocks, as alerting asks for.
func (a *App) recordTransition(t alerting.Transition) {
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

func texts(ls model.LabelSet) map[string]string {
	out := make(map[string]string, len(ls))
	for name, value := range ls {
		out[string(name)] = string(value)
	}
	return out
}
