package discord

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

func TestNewsIsWhatNobodyWasCalledFor(t *testing.T) {
	start := time.Unix(1_790_000_000, 0)
	view := func(name string, began time.Duration, state receiver.State) receiver.AlertView {
		return receiver.AlertView{State: state, Alert: &alert.Alert{
			Alert: model.Alert{Labels: model.LabelSet{model.AlertNameLabel: model.LabelValue(name)}, StartsAt: start.Add(began)},
		}}
	}
	m := memo{Told: told(receiver.View{Alerts: []receiver.AlertView{view("A", 0, receiver.Critical), view("B", 0, receiver.Resolved)}})}
	for _, test := range []struct {
		name string
		now  receiver.AlertView
		want int
	}{
		{"told already", view("A", 0, receiver.Critical), 0},
		{"ended, and fires again", view("A", time.Second, receiver.Critical), 1},
		{"new", view("C", 0, receiver.Critical), 1},
		{"began and ended while an older message waited", view("C", 0, receiver.Resolved), 0},
		{"was known to have ended", view("B", 0, receiver.Critical), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := m.news(receiver.View{Alerts: []receiver.AlertView{test.now}})
			if diff := cmp.Diff(test.want, len(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
