package alerting

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestHistoryHasSilencesAndInhibitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		history := make(chan string, 100)
		d := testDeps(t, t.TempDir())
		d.Transition = func(tr Transition) {
			if tr.Labels["alertname"] == "A" && tr.To != StateNotified {
				note, _, _ := strings.Cut(tr.Note, " ") // IDs are made up.
				history <- strings.TrimSpace(string(tr.From) + "→" + string(tr.To) + " " + tr.By + " " + note)
			}
		}
		a := startAlerting(t, loadConfig(t, `
route: {receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1s}
receivers: [{name: r}]
inhibit_rules: [{source_matchers: ['alertname="Cause"'], target_matchers: ['alertname="A"']}]
`), d)
		a.put(t, firing("alertname", "A"))
		settle(2 * time.Second)
		s := &silencepb.Silence{
			MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_EQUAL, Name: "alertname", Pattern: "A"}}}},
			StartsAt:    timestamppb.Now(), EndsAt: timestamppb.New(time.Now().Add(time.Minute)),
			CreatedBy: "ada", Comment: "deploying",
		}
		if err := a.silences.Set(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Minute) // It ends.
		a.put(t, firing("alertname", "Cause"))
		settle(2 * time.Second)
		a.put(t, resolved("alertname", "A"))
		settle(2 * time.Second)
		close(history)
		var got []string
		for step := range history {
			got = append(got, step)
		}
		want := []string{"→firing", "firing→silenced ada silence", "silenced→firing", "firing→inhibited  by", "inhibited→resolved"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}
