package alerting

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const twoPlaces = `
route: {receiver: one, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 100h, routes: [ROUTES]}
receivers:
- {name: one, webhook_configs: [{url: 'http://unused.example'}]}
- {name: two, webhook_configs: [{url: 'http://unused.example'}]}
`

func TestPeopleHearOfADestinationThatTakesNothing(t *testing.T) {
	skipWithRaceDetector(t)
	dead := &receiver.Error{Kind: receiver.Dead, Err: errors.New("webhook was deleted")}
	for _, test := range []struct {
		name   string
		routes string
		err    error
		within time.Duration
	}{
		{"dead, and another receiver has a route", "{receiver: one, continue: true}, {receiver: two}", dead, 2 * time.Second},
		{"failing, and another receiver has a route", "{receiver: one, continue: true}, {receiver: two}", errors.New("refused"), 70 * time.Second},
		{"dead, and no other receiver has a route", "{receiver: two, matchers: ['never=\"true\"']}", dead, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, strings.Replace(twoPlaces, "ROUTES", test.routes, 1), func(t *testing.T, a *instance, places map[string]*place) {
				one, two := places["one"], places["two"]
				one.fails(test.err)
				al := firing("alertname", "A")
				al.EndsAt = al.StartsAt.Add(100 * time.Hour)
				a.put(t, al)
				settle(test.within)
				if got := two.briefs(); !slices.Contains(got, "firing NotificationsNotDelivered=firing") {
					t.Fatalf("after %v the other receiver was told %v", test.within, got)
				}
				for _, m := range two.messages() {
					if al := m.Alerts[0]; al.Name() == troubleName &&
						(al.Labels["receiver"] != "one" || !strings.Contains(string(al.Annotations["description"]), test.err.Error())) {
						t.Errorf("got %v %v, want the receiver and the reason", al.Labels, al.Annotations)
					}
				}
				settle(10 * time.Minute) // It goes on, and is said once.
				one.answers(nil)
				settle(20 * time.Minute)
				var got []string
				for _, brief := range two.briefs() {
					if strings.Contains(brief, troubleName) {
						got = append(got, brief)
					}
				}
				if want := []string{"firing NotificationsNotDelivered=firing", "resolved NotificationsNotDelivered=resolved"}; !slices.Equal(got, want) {
					t.Errorf("the other receiver was told %v, want %v", got, want)
				}
				if got := one.briefs(); !slices.Equal(got, []string{"firing A=firing"}) {
					t.Errorf("the destination was told %v when it was back, want what had waited and nothing about itself", got)
				}
			})
		})
	}
}
