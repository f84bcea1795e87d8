package discord

import (
	"fmt"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// detail is how much of a view is drawn; each step says less.
type detail int

const (
	full   detail = iota // Everything, with a field for each alert.
	brief                // Without each alert's own description and links.
	listed               // One line for each alert.
	last   = listed
)

// drawEmbed draws a view in the greatest detail that Discord takes, and reports
// whether something was left out. What is still too long is left to clamp.
func drawEmbed(v receiver.View) (e embed, shortened bool) {
	first := full
	if len(v.Alerts) > maxFields {
		first = listed
	}
	for d := first; d <= last; d++ {
		if e, shortened = draw(v, d); e.fits() {
			return e, shortened || d != full
		}
	}
	return e, true
}

func draw(v receiver.View, d detail) (e embed, shortened bool) {
	e = embed{Title: v.Headline(), Color: v.State.Color(), URL: v.Links.Graph}
	head := heading(v)
	tail := links(v.Links)
	single := len(v.Alerts) == 1
	switch {
	case d < listed:
		for _, l := range v.Labels {
			e.Fields = append(e.Fields, field{Name: escape(l.Name), Value: nonEmpty(escape(l.Value)), Inline: true})
		}
		if len(e.Fields) > 9 && v.Storm == nil {
			e.Fields = []field{{Name: "Labels", Value: list(v.Labels)}}
		}
		for _, a := range v.Alerts {
			e.Fields = append(e.Fields, alertFields(a, d, single)...)
		}
	default:
		if len(v.Labels) > 0 {
			head = append(head, cut(list(v.Labels), maxFieldValue))
		}
	}
	e.Description = strings.Join(append(head, tail...), "\n")
	if d == listed && !single {
		e.Description, shortened = withLines(head, v.Alerts, tail, maxTotal-length(e.Title))
	}
	return e, shortened
}

// heading is what a view says before its alerts.
func heading(v receiver.View) []string {
	var lines []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			lines = append(lines, text)
		}
	}
	add(v.Summary)
	add(v.Description)
	switch {
	case v.Test:
		add("Somebody asked whether messages arrive here. They do.")
	case v.State == receiver.Resolved && v.Storm == nil:
		add(resolvedLine(v.Since, v.Until))
	default:
		add(sinceLine(v.Since))
	}
	for _, n := range v.Notes {
		text := "⏱ " + n.Text
		if !n.At.IsZero() {
			text += " " + at(n.At, 'T')
		}
		add(text)
	}
	return lines
}

// withLines puts one line for each alert between head and tail, as many as there
// is room for.
func withLines(head []string, alerts []receiver.AlertView, tail []string, room int) (text string, shortened bool) {
	const reserve = 60 // For the line that counts the others.
	room = min(room, maxDescription) - reserve
	for _, line := range append(head, tail...) {
		room -= length(line) + 1
	}
	lines := head
	for i, a := range alerts {
		line := cut(escape(a.Title()), maxTitle) + value(a) + " · " + at(a.Since, 'R')
		if room -= length(line) + 1; room < 0 {
			lines = append(lines, fmt.Sprintf("… and %d more, in the attached file.", len(alerts)-i))
			shortened = true
			break
		}
		lines = append(lines, line)
	}
	return strings.Join(append(lines, tail...), "\n"), shortened
}

// alertFields draws an alert: beside others in one field, alone in a few short ones.
func alertFields(a receiver.AlertView, d detail, single bool) []field {
	var fs []field
	if single {
		if a.Value != "" {
			fs = append(fs, field{Name: "Value", Value: escape(a.Value), Inline: true})
		}
		if a.Threshold != "" {
			fs = append(fs, field{Name: "Threshold", Value: escape(a.Threshold), Inline: true})
		}
		if a.Acknowledged != nil {
			fs = append(fs, field{Name: "Acknowledged", Value: acknowledged(*a.Acknowledged)})
		}
		return fs
	}
	var lines []string
	if a.Summary != "" {
		lines = append(lines, a.Summary)
	}
	if d == full && a.Description != "" {
		lines = append(lines, a.Description)
	}
	when := sinceLine(a.Since)
	if a.State == receiver.Resolved {
		when = resolvedLine(a.Since, a.Until)
	}
	lines = append(lines, when+value(a))
	if a.Acknowledged != nil {
		lines = append(lines, acknowledged(*a.Acknowledged))
	}
	if d == full {
		lines = append(lines, links(a.Links)...)
	}
	return append(fs, field{Name: escape(a.Title()), Value: strings.Join(lines, "\n")})
}

func value(a receiver.AlertView) string {
	switch {
	case a.Value != "" && a.Threshold != "":
		return " · **" + escape(a.Value) + "** (" + escape(a.Threshold) + ")"
	case a.Value != "":
		return " · **" + escape(a.Value) + "**"
	case a.Threshold != "":
		return " · " + escape(a.Threshold)
	}
	return ""
}

func acknowledged(ack receiver.Acknowledgement) string {
	text := "👀 " + escape(ack.By) + " has taken it on " + at(ack.At, 'R')
	if ack.Comment != "" {
		text += ": " + escape(ack.Comment)
	}
	return text
}

func sinceLine(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return "Since " + at(since, 'R')
}

func resolvedLine(since, until time.Time) string {
	if until.IsZero() {
		return "Resolved"
	}
	line := "Resolved " + at(until, 'R')
	if d := until.Sub(since); !since.IsZero() && d > 0 {
		line += " after " + lasted(d)
	}
	return line
}

// lasted is a duration as people say it: the two greatest units.
func lasted(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// at is an instant that Discord shows in the reader's own time zone: 'R' counts
// from now, 'T' is the time of day. https://docs.discord.com/developers/reference#message-formatting
func at(t time.Time, style byte) string {
	return fmt.Sprintf("<t:%d:%c>", t.Unix(), style)
}

func links(l receiver.Links) []string {
	var parts []string
	for _, link := range l.All() {
		if len(link.URL) <= maxFieldValue/2 {
			parts = append(parts, "["+link.Name+"]("+inLink.Replace(link.URL)+")")
		}
	}
	if parts == nil {
		return nil
	}
	return []string{strings.Join(parts, " · ")}
}

func list(labels []receiver.Label) string {
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = escape(l.Name) + "=" + escape(l.Value)
	}
	return strings.Join(parts, ", ")
}

// escape shows text as it is: names like __meta_x and values like *a* are no
// formatting.
func escape(s string) string { return markdown.Replace(s) }

var (
	markdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, ">", `\>`, "[", `\[`, "#", `\#`)
	inLink   = strings.NewReplacer("(", "%28", ")", "%29", " ", "%20")
)
