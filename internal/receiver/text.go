package receiver

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text is all of a view as plain text, for destinations that show no more and
// for the file that goes with a message that had to be cut.
func (v View) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", v.Headline())
	if v.State != Resolved && v.Storm == nil && !v.Test {
		line("Severity: %s", v.State)
	}
	span(line, v.Since, v.Until)
	for _, n := range v.Notes {
		line("Note: %s", n.String())
	}
	paragraph(line, v.Summary)
	paragraph(line, v.Description)
	for _, l := range v.Labels {
		line("%s: %s", l.Name, l.Value)
	}
	links(line, v.Links)
	for i, a := range v.Alerts {
		if len(v.Alerts) > 1 {
			line("\n%d. %s", i+1, a.Title())
			span(line, a.Since, a.Until)
		}
		if a.Value != "" {
			line("Value: %s", a.Value)
		}
		if a.Threshold != "" {
			line("Threshold: %s", a.Threshold)
		}
		if ack := a.Acknowledged; ack != nil {
			line("Acknowledged by %s at %s %s", ack.By, stamp(ack.At), ack.Comment)
		}
		paragraph(line, a.Summary)
		paragraph(line, a.Description)
		if len(v.Alerts) > 1 {
			links(line, a.Links)
		}
	}
	return b.String()
}

// Title names an alert beside the others: its state and what sets it apart.
func (a AlertView) Title() string {
	parts := []string{a.State.Symbol()}
	if a.Name != "" {
		parts = append(parts, a.Name)
	}
	if len(a.Labels) > 0 {
		parts = append(parts, join(a.Labels))
	}
	return strings.Join(parts, " ")
}

func join(ls []Label) string {
	parts := make([]string, len(ls))
	for i, l := range ls {
		parts[i] = l.Name + "=" + l.Value
	}
	return strings.Join(parts, ", ")
}

// String is the note with its time in UTC.
func (n Note) String() string {
	if n.At.IsZero() {
		return n.Text
	}
	return n.Text + " " + stamp(n.At)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func span(line func(string, ...any), since, until time.Time) {
	if !since.IsZero() {
		line("Since: %s", stamp(since))
	}
	if !until.IsZero() {
		line("Until: %s", stamp(until))
	}
}

func paragraph(line func(string, ...any), text string) {
	if text = strings.TrimSpace(text); text != "" {
		line("%s", text)
	}
}

func links(line func(string, ...any), l Links) {
	for _, link := range l.All() {
		line("%s: %s", link.Name, link.URL)
	}
}

// FormatValue is a sample's value as people read it: six digits where it is no
// whole number, and no exponent between a millionth and a quadrillion.
func FormatValue(v float64) string {
	size := math.Abs(v)
	switch {
	case size >= 1e15 || size > 0 && size < 1e-6:
		return strconv.FormatFloat(v, 'g', 6, 64)
	case size >= 1e6:
		v = math.Round(v)
	default:
		// It was made by the same package, so it is a number.
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
