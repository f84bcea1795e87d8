package receiver

import (
	"strconv"
	"strings"

	"github.com/prometheus/alertmanager/alert"
)

// State is what a reader wants to know first of an alert. A group's is the
// greatest of its alerts'.
type State int

// The states, from good to bad. An alert that somebody has taken on is less
// urgent than any that nobody has.
const (
	Resolved State = iota
	Acknowledged
	Info
	Warning
	Critical
)

func stateOf(a *alert.Alert) State {
	if !a.EndsAt.IsZero() {
		return Resolved
	}
	switch strings.ToLower(string(a.Labels["severity"])) {
	case "critical", "page", "error", "emergency", "high":
		return Critical
	case "info", "none", "notice", "low", "debug":
		return Info
	}
	return Warning // What fires and does not say how bad it is deserves a look.
}

// String is the state in lower case.
func (s State) String() string {
	return [...]string{"resolved", "acknowledged", "info", "warning", "critical"}[s]
}

// Symbol is the state where there is no room for a word, as on a locked phone.
func (s State) Symbol() string {
	return [...]string{"✅", "👀", "🔵", "🟠", "🔴"}[s]
}

// Color is the state as 0xRRGGBB, at a contrast that works on light and dark.
func (s State) Color() int {
	return [...]int{0x2E9E5B, 0x8256D0, 0x3178C6, 0xE08A00, 0xD1242F}[s]
}

// Headline is what a view is about, in one line: the state, the name, and how
// many alerts there are if there are several.
func (v View) Headline() string {
	if v.Test {
		return "Test message"
	}
	line := v.State.Symbol() + " " + v.Name
	if v.Storm == nil && len(v.Alerts) < 2 {
		return line
	}
	switch {
	case v.Firing > 0 && v.Resolved > 0:
		return line + " (" + strconv.Itoa(v.Firing) + " firing, " + strconv.Itoa(v.Resolved) + " resolved)"
	case v.Firing > 0:
		return line + " (" + strconv.Itoa(v.Firing) + " firing)"
	}
	return line + " (" + strconv.Itoa(v.Resolved) + " resolved)"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
