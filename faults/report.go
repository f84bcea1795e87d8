package faults

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what came of it.
type Report struct {
	Seed uint64
	Took time.Duration
	// Faults are all that was broken, in order.
	Faults []Fault
	// Alerts were taken, Messages posted, Edits made.
	Alerts, Messages, Edits int
	// Lost alerts were never told; Unended ones are told to be firing still.
	Lost, Unended int
	// Repeated messages announce only what was announced before them.
	Repeated int
	// Disordered alerts were told to be firing after they were told to have ended.
	Disordered int
	// Rejected is how often Discord called a request bad.
	Rejected int
	// Delays are from taking an alert until it is told, sorted.
	Delays []time.Duration
	// Suspects say what went wrong, and after which fault; at most 20.
	Suspects []string
}

// Fault is one that was caused.
type Fault struct {
	Name string
	At   time.Time
}

// settle compares what was taken with what was told.
func (r *Report) settle(taken []sent, told []message) {
	type account struct {
		first      time.Time
		last       string
		disordered time.Time
	}
	accounts := make(map[string]*account)
	announced := make(map[string]bool)
	for _, m := range told {
		if !m.posted {
			r.Edits++
		} else if r.Messages++; m.announce(announced) {
			r.Repeated++
			r.suspect("repeated "+strings.Join(slices.Sorted(maps.Keys(m.states)), " "), m.at)
		}
		for name, state := range m.states {
			if state == "new" {
				continue // The message that the line follows has its state.
			}
			a := accounts[name]
			if a == nil {
				a = &account{first: m.at}
				accounts[name] = a
			}
			if a.last == "resolved" && state == "firing" {
				a.disordered = m.at
			}
			a.last = state
		}
	}
	r.Alerts = len(taken)
	for _, t := range taken {
		a := accounts[t.name]
		switch {
		case a == nil:
			r.Lost++
			r.suspect("lost "+t.name, t.fires)
			continue
		case a.last == "firing":
			r.Unended++
			r.suspect("unended "+t.name, t.ends)
		}
		if !a.disordered.IsZero() {
			r.Disordered++
			r.suspect("disordered "+t.name, a.disordered)
		}
		r.Delays = append(r.Delays, max(0, a.first.Sub(t.fires)))
	}
	slices.Sort(r.Delays)
}

// announce adds what a message says to what is announced, and reports whether
// all of it was. An edit announces nothing: nobody's phone makes a sound.
func (m message) announce(announced map[string]bool) (again bool) {
	said := []string{m.body}
	if len(m.states) > 0 {
		said = nil
	}
	for name, state := range m.states {
		said = append(said, name+" "+strings.Replace(state, "new", "firing", 1))
	}
	again = true
	for _, s := range said {
		again = again && announced[s]
		announced[s] = true
	}
	return again
}

// suspect notes what went wrong, with the faults of the seconds before it.
func (r *Report) suspect(what string, at time.Time) {
	const (
		most   = 20
		before = 5 * time.Second
	)
	if len(r.Suspects) >= most {
		return
	}
	for _, f := range r.Faults {
		if ago := at.Sub(f.At); ago >= 0 && ago < before {
			what += fmt.Sprintf(", %s after %s", ago.Round(time.Millisecond), f.Name)
		}
	}
	r.Suspects = append(r.Suspects, what)
}

// mostRepeated is the share of messages that may be repeated.
const mostRepeated = 0.001

// Err says what was broken that must not be.
func (r Report) Err() error {
	var errs []error
	check := func(n int, what string) {
		if n > 0 {
			errs = append(errs, fmt.Errorf("%d %s", n, what))
		}
	}
	check(r.Lost, "alerts were never told")
	check(r.Unended, "alerts ended, and that was not told")
	check(r.Disordered, "alerts were told in the wrong order")
	check(r.Rejected, "requests were bad")
	if r.repeatedShare() > mostRepeated && r.Repeated > 1 {
		errs = append(errs, fmt.Errorf("%d of %d messages were repeated", r.Repeated, r.Messages))
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("seed %d: %s", r.Seed, strings.Join(r.Suspects, "; ")))
	}
	return errors.Join(errs...)
}

func (r Report) repeatedShare() float64 {
	return float64(r.Repeated) / float64(max(1, r.Messages))
}

// String is the table.
func (r Report) String() string {
	var b strings.Builder
	row := func(what, target string, got any) { fmt.Fprintf(&b, "| %s | %s | %v |\n", what, target, got) }
	fmt.Fprintf(&b, "%d faults in %s, seed %d\n\n| what | target | |\n| --- | --- | ---: |\n", len(r.Faults), r.Took.Round(time.Second), r.Seed)
	times := make(map[string]int)
	for _, f := range r.Faults {
		times[f.Name]++
	}
	for _, name := range slices.Sorted(maps.Keys(times)) {
		row("fault: "+name, "", times[name])
	}
	row("alerts taken", "", r.Alerts)
	row("messages posted", "", r.Messages)
	row("messages edited", "", r.Edits)
	row("alerts never told", "0", r.Lost)
	row("ends never told", "0", r.Unended)
	row("alerts told in the wrong order", "0", r.Disordered)
	row("messages repeated", "≤ 0.1 %", fmt.Sprintf("%d (%.2f %%)", r.Repeated, 100*r.repeatedShare()))
	row("requests that were bad", "0", r.Rejected)
	if n := len(r.Delays); n > 0 {
		row("from taking an alert to telling, p50, p99, max", "", fmt.Sprintf("%s, %s, %s",
			r.Delays[n/2].Round(time.Millisecond), r.Delays[n*99/100].Round(time.Millisecond), r.Delays[n-1].Round(time.Millisecond)))
	}
	return b.String()
}
