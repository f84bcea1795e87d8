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

// historyOf collects what becomes of the alert A, across restarts.
func historyOf(d *Deps, into chan<- string) {
	d.Transition = func(tr Transition) {
		if tr.Labels["alertname"] == "A" && tr.To != StateNotified {
			into <- string(tr.From) + "→" + string(tr.To) + " " + tr.Note
		}
	}
}

func drain(history chan string) (got []string) {
	for {
		select {
		case step := <-history:
			got = append(got, strings.TrimSpace(step))
		default:
			return got
		}
	}
}

func TestHistorySaysOnceThatAnAlertIsWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		history := make(chan string, 100)
		dir := t.TempDir()
		start := func() *instance {
			d := testDeps(t, dir)
			historyOf(&d, history)
			return startAlerting(t, loadConfig(t, `
route: {receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1s}
receivers: [{name: r}]
inhibit_rules: [{source_matchers: ['alertname="Cause"'], target_matchers: ['alertname="A"']}]
`), d)
		}
		a := start()
		a.put(t, firing("alertname", "Cause"), firing("alertname", "A"))
		settle(2 * time.Second)
		by := firing("alertname", "Cause").Fingerprint().String()
		if diff := cmp.Diff([]string{"→firing", "firing→inhibited by alert " + by}, drain(history)); diff != "" {
			t.Errorf("before the restart (-want +got):\n%s", diff)
		}
		a.stop()
		a = start()
		a.put(t, firing("alertname", "A")) // It comes again, as it does.
		settle(time.Minute)
		if got := drain(history); len(got) != 0 {
			t.Errorf("after the restart got %q again", got)
		}
		a.put(t, resolved("alertname", "Cause"))
		settle(2 * time.Second)
		if diff := cmp.Diff([]string{"inhibited→firing"}, drain(history)); diff != "" {
			t.Errorf("after the cause (-want +got):\n%s", diff)
		}
	})
}

// TestHistoryHasTimeIntervals is in virtual time, which begins on Saturday,
// 2000-01-01 at midnight UTC.
func TestHistoryHasTimeIntervals(t *testing.T) {
	const intervals = `
time_intervals:
- {name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '01:00'}]}]}
- {name: work, time_intervals: [{times: [{start_time: '02:00', end_time: '03:00'}]}]}
receivers: [{name: r}]
`
	for _, test := range []struct {
		name, route string
		want        []string
	}{
		{
			"muted", "{receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1m, routes: [{mute_time_intervals: [night]}]}",
			[]string{"→firing", "firing→muted by night", "muted→firing"},
		},
		{
			"not active", "{receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1m, routes: [{active_time_intervals: [work]}]}",
			[]string{"→firing", "firing→muted by work", "muted→firing", "firing→muted by work"},
		},
		{
			"another route tells", "{receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1m, routes: [{mute_time_intervals: [night], continue: true}, {receiver: r}]}",
			[]string{"→firing"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				history := make(chan string, 1000)
				d := testDeps(t, t.TempDir())
				historyOf(&d, history)
				a := startAlerting(t, loadConfig(t, "route: %s%s", test.route, intervals), d)
				al := firing("alertname", "A")
				al.EndsAt = al.StartsAt.Add(24 * time.Hour)
				a.put(t, al)
				settle(4 * time.Hour)
				if diff := cmp.Diff(test.want, drain(history)); diff != "" {
					t.Errorf("history (-want +got):\n%s", diff)
				}
			})
		})
	}
}
