package discord

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The lengths that Discord allows; what is over them is answered with 400.
// https://docs.discord.com/developers/resources/message#embed-object-embed-limits,
// 2026-06. Discord counts code points (discord/discord-api-docs#1315). UTF-16
// units are never fewer, so counting those is safe should that change.
const (
	maxContent     = 2000
	maxTitle       = 256
	maxDescription = 4096
	maxFields      = 25
	maxFieldName   = 256
	maxFieldValue  = 1024
	maxEmbeds      = 10
	maxTotal       = 6000 // Over all embeds of a message.
	maxUsername    = 80
	maxThreadName  = 100
	maxLink        = 2048
	maxMentions    = 20 // Ours; they share the content with the text.
)

func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// cut shortens s to a length of n, marking that it did.
func cut(s string, n int) string {
	if length(s) <= n {
		return s
	}
	const mark = "…"
	if n < 1 {
		return ""
	}
	room := n - length(mark)
	end := 0
	for i, r := range s {
		if room -= max(utf16.RuneLen(r), 1); room < 0 {
			break
		}
		end = i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			end = i + 1 // An invalid byte; encoding/json replaces it.
		}
	}
	return strings.TrimRightFunc(s[:end], func(r rune) bool { return r == ' ' || r == '\n' || r == '\\' }) + mark
}

func (e embed) total() int {
	n := length(e.Title) + length(e.Description)
	for _, f := range e.Fields {
		n += length(f.Name) + length(f.Value)
	}
	return n
}

// fits reports whether Discord takes the embed as it is.
func (e embed) fits() bool {
	ok := length(e.Title) <= maxTitle && length(e.Description) <= maxDescription && len(e.Fields) <= maxFields && e.total() <= maxTotal
	for _, f := range e.Fields {
		ok = ok && length(f.Name) <= maxFieldName && length(f.Value) <= maxFieldValue
	}
	return ok
}

// clamp makes the message one that Discord takes, whatever is in it, and
// reports whether it had to leave something out. It is the last step: what
// draws a message has better ways to be brief.
func (m *message) clamp() (shortened bool) {
	limit := func(s *string, n int) {
		if short := cut(*s, n); short != *s {
			*s, shortened = short, true
		}
	}
	limit(&m.Content, maxContent)
	limit(&m.Username, maxUsername)
	limit(&m.ThreadName, maxThreadName)
	if len(m.Embeds) > maxEmbeds {
		m.Embeds, shortened = m.Embeds[:maxEmbeds], true
	}
	room := maxTotal
	for i := range m.Embeds {
		e := &m.Embeds[i]
		if length(e.URL) > maxLink {
			e.URL = ""
		}
		limit(&e.Title, min(maxTitle, room))
		room -= length(e.Title)
		limit(&e.Description, min(maxDescription, room))
		room -= length(e.Description)
		if len(e.Fields) > maxFields {
			e.Fields, shortened = e.Fields[:maxFields], true
		}
		for j := range e.Fields {
			f := &e.Fields[j]
			limit(&f.Name, maxFieldName)
			limit(&f.Value, maxFieldValue)
			f.Name, f.Value = nonEmpty(f.Name), nonEmpty(f.Value)
			if room -= length(f.Name) + length(f.Value); room < 0 {
				e.Fields, shortened = e.Fields[:j], true
				room = 0
				break
			}
		}
	}
	return shortened
}

// nonEmpty stands in for a field's text that Discord would trim to nothing.
func nonEmpty(s string) string {
	if strings.TrimSpace(s) == "" {
		return "–"
	}
	return s
}
