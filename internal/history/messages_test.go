package history

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// countNaive looks at a group at every interval and skips nothing.
func countNaive(r Route, firings []firing, end time.Time) (messages int) {
	var told map[int]bool
	var look, lastSent time.Time
	alive := false
	for at := time.Unix(0, 0); !at.After(end); at = at.Add(time.Second) {
		if !alive {
			for _, f := range firings {
				if f.from.Equal(at) {
					alive, told, look = true, map[int]bool{}, at.Add(r.Wait)
				}
			}
		}
		if !alive || !at.Equal(look) {
			continue
		}
		now := map[int]bool{}
		for _, f := range firings {
			if f.at(at) {
				now[f.alert] = true
			}
		}
		if !maps.Equal(now, told) || len(now) > 0 && !at.Before(lastSent.Add(r.Repeat)) {
			messages++
			told, lastSent = now, at
		}
		alive = len(now) > 0
		look = at.Add(r.Interval)
	}
	return messages
}

func TestMessagesAgainstNaiveCount(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	seconds := func(most int) time.Duration { return time.Duration(r.IntN(most)) * time.Second }
	for range 3000 {
		route := Route{Wait: seconds(20), Interval: time.Second + seconds(40), Repeat: time.Second + seconds(300)}
		end := time.Unix(1000, 0)
		var firings []firing
		for alert := range 1 + r.IntN(4) {
			at := time.Unix(0, 0)
			for {
				from := at.Add(time.Second + seconds(200))
				at = from.Add(time.Second + seconds(100))
				if at.After(end) {
					break
				}
				firings = append(firings, firing{alert: alert, from: from, to: at})
			}
		}
		want := countNaive(route, firings, end)
		if got := route.count(firings, end); got != want {
			t.Fatalf("%+v %v: got %d messages, want %d", route, firings, got, want)
		}
	}
}
