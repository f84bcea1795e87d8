package history

import (
	"maps"
	"slices"
	"time"
)

// maxMessages ends the count of a group: nobody needs to know it exactly.
const maxMessages = 100_000

// Messages is how many notifications there would have been.
type Messages struct {
	Total      int            `json:"total"`
	ByReceiver map[string]int `json:"byReceiver"`
}

// firing is one time of firing, as a group sees it.
type firing struct {
	alert    int
	from, to time.Time // to is zero while it fires
}

func (f firing) at(t time.Time) bool {
	return !f.from.After(t) && (f.to.IsZero() || f.to.After(t))
}

// countMessages groups and times notifications as Alertmanager does, without
// silences and inhibition.
func countMessages(alerts []Alert, routes func(map[string]string) []Route, end time.Time) Messages {
	groups := map[Route][]firing{}
	for i, a := range alerts {
		if len(a.Intervals) == 0 {
			continue
		}
		for _, route := range routes(a.Labels) {
			for _, interval := range a.Intervals {
				groups[route] = append(groups[route], firing{alert: i, from: interval.From, to: interval.To})
			}
		}
	}
	m := Messages{ByReceiver: map[string]int{}}
	for route, firings := range groups {
		n := route.count(firings, end)
		m.Total += n
		m.ByReceiver[route.Receiver] += n
	}
	return m
}

// count replays one group: it begins with an alert, is looked at after Wait and
// then at every Interval, and ends when all its alerts have. A look sends a
// message if an alert is new or over, or after Repeat.
func (r Route) count(firings []firing, end time.Time) (messages int) {
	slices.SortFunc(firings, func(a, b firing) int { return a.from.Compare(b.from) })
	interval := max(r.Interval, time.Second)
	var open []firing     // those that the group holds
	var told map[int]bool // alerts of the last message
	var lastSent, look time.Time
	next := 0
	for messages < maxMessages {
		if len(open) == 0 {
			if next == len(firings) {
				return messages
			}
			look, told = firings[next].from.Add(r.Wait), map[int]bool{}
		}
		for next < len(firings) && !firings[next].from.After(look) {
			open = append(open, firings[next])
			next++
		}
		if look.After(end) {
			return messages
		}
		now := map[int]bool{}
		for _, f := range open {
			if f.at(look) {
				now[f.alert] = true
			}
		}
		over := len(now) > 0 && !look.Before(lastSent.Add(r.Repeat))
		if changed := !maps.Equal(now, told); changed || over {
			messages++
			told, lastSent = now, look
		}
		open = slices.DeleteFunc(open, func(f firing) bool { return !f.at(look) })
		look = look.Add(interval)
		if len(open) > 0 {
			look = r.skip(open, firings[next:], look, lastSent, interval)
		}
	}
	return messages
}

// skip leaves out looks at which nothing can have changed.
func (r Route) skip(open, coming []firing, look, lastSent time.Time, interval time.Duration) time.Time {
	event := lastSent.Add(r.Repeat)
	for _, f := range open {
		if !f.to.IsZero() && f.to.Before(event) {
			event = f.to
		}
	}
	if len(coming) > 0 && coming[0].from.Before(event) {
		event = coming[0].from
	}
	if late := event.Sub(look); late > interval {
		look = look.Add(late.Truncate(interval))
	}
	return look
}
