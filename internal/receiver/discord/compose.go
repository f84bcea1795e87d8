package discord

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	// graphTimeout is how long a message waits for its picture.
	graphTimeout            = 500 * time.Millisecond
	graphWidth, graphHeight = 800, 300
	graphName, fullTextName = "graph.png", "alerts.txt"
	maxGraphBytes           = 1 << 20
	maxFullText             = 1 << 20 // Discord takes 10 MiB, 2026-06.
	maxLineAlerts           = 5       // Named in a line; the others are counted.
	maxLineLength           = 300     // Of one of them.
	plainLength             = 1800
	standardTitle           = `{{ template "discord.default.title" . }}`
	standardMessage         = `{{ template "discord.default.message" . }}`
)

// compose makes the message that shows the whole state of a group.
func (s *Sender) compose(ctx context.Context, m receiver.Message, v receiver.View) message {
	e, shortened := drawEmbed(v)
	text := v.Text
	var msg message
	if v.Storm == nil && !v.Test {
		x := s.execute(m)
		if x.title != nil {
			e.Title = *x.title
		}
		if x.message != nil {
			e = embed{Title: e.Title, Color: e.Color, Description: strings.Join(append([]string{*x.message}, remarks(v)...), "\n")}
			own := e.Title + "\n\n" + e.Description
			text, shortened = func() string { return own }, false
		}
		if x.problem != "" {
			e.Description = cut(e.Description, maxDescription-500) + "\n" + cut(x.problem, 400)
		}
		msg.Content, msg.ThreadName = x.content, x.threadName
	}
	msg.Embeds = []embed{e}
	s.sign(&msg)
	if picture := s.picture(ctx, v); picture != nil {
		msg.attach(file{graphName, "image/png", picture})
		msg.Embeds[0].Image = &image{"attachment://" + graphName}
	}
	if msg.clamp() || shortened {
		msg.attach(file{fullTextName, "text/plain; charset=utf-8", []byte(receiver.Clip(text(), maxFullText))})
	}
	return msg
}

// remarks are what a message of the user's own must say as well.
func remarks(v receiver.View) []string {
	rest := v
	rest.Summary, rest.Description, rest.Since, rest.Until = "", "", time.Time{}, time.Time{}
	if rest.State == receiver.Resolved {
		rest.State = receiver.Info // Its template says that it is resolved.
	}
	lines := heading(rest)
	for _, a := range v.Alerts {
		if a.Acknowledged != nil && len(lines) < maxLineAlerts {
			lines = append(lines, acknowledged(*a.Acknowledged))
		}
	}
	return lines
}

// sign puts the configured name and picture on the message. What Discord would
// refuse is left out: a plain sender is better than no message.
func (s *Sender) sign(msg *message) {
	if name := strings.ToLower(s.config.Username); !strings.Contains(name, "discord") && !strings.Contains(name, "clyde") {
		msg.Username = s.config.Username
	}
	if u, err := url.Parse(s.config.AvatarURL); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		msg.AvatarURL = s.config.AvatarURL
	}
}

// call names those who are to look, before what the message says already, and
// lets the mentions work that the user wrote into his own template.
func (s *Sender) call(msg *message, v receiver.View) {
	var configured []string
	if v.Firing > 0 {
		configured = s.settings.Mentions[v.State.String()]
	}
	if len(allow(configured).Parse) > 0 && len(allow(s.written).Parse) == 0 {
		msg.Content = disarm(msg.Content)
	}
	prefix := strings.Join(configured, " ")
	msg.Content = strings.TrimSpace(prefix + " " + cut(msg.Content, maxContent-length(prefix)-1))
	msg.AllowedMentions = allow(append(slices.Clone(configured), s.written...))
}

// line is the short message that follows an edit, which nobody would notice.
func (s *Sender) line(m receiver.Message, v receiver.View, news []receiver.AlertView) message {
	msg := message{Flags: suppressEmbeds}
	s.sign(&msg)
	var lines []string
	switch m.Reason {
	case receiver.ReasonResolved:
		lines = append(lines, "**"+escape(v.Headline())+"** · "+resolvedLine(v.Since, v.Until))
		news = nil
	case receiver.ReasonRepeat:
		lines = append(lines, "**"+escape(v.Headline())+"** · still firing, since "+at(v.Since, 'R'))
	default:
		lines = append(lines, "**"+escape(v.Headline())+"** · new:")
	}
	for i, a := range news {
		if i == maxLineAlerts {
			lines = append(lines, "… and more; see the message above.")
			break
		}
		text := escape(a.Title()) + value(a)
		if a.Summary != "" {
			text += " · " + a.Summary
		}
		lines = append(lines, cut(text, maxLineLength))
	}
	msg.Content = strings.Join(lines, "\n")
	if m.Reason != receiver.ReasonResolved {
		msg.Content = strings.TrimSpace(strings.Join(s.written, " ") + " " + msg.Content)
		s.call(&msg, v)
	}
	msg.clamp()
	return msg
}

// plain is the message for the case that Discord refuses everything better: a
// limit that has changed must not silence an alert.
func plain(v receiver.View, original message) message {
	return message{
		Content:    cut("```\n"+strings.ReplaceAll(cut(v.Text(), plainLength), "```", "'''")+"\n```", maxContent),
		ThreadName: original.ThreadName,
	}
}

// picture returns the graph of the alert that a view shows first, or nil.
func (s *Sender) picture(ctx context.Context, v receiver.View) []byte {
	if s.graph == nil || !s.settings.Graph || len(v.Alerts) == 0 || v.Test {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, graphTimeout)
	defer cancel()
	png, err := s.graph(ctx, receiver.GraphRequest{Alert: v.Alerts[0].Alert, Width: graphWidth, Height: graphHeight})
	if err != nil || len(png) == 0 || len(png) > maxGraphBytes {
		return nil // A message never fails for the lack of its picture.
	}
	return png
}

// executed is what the user's templates say; nil where they are the library's.
type executed struct {
	title, message      *string
	content, threadName string
	problem             string
}

// execute runs the templates. One that fails costs its text and not the alert;
// the message says so.
func (s *Sender) execute(m receiver.Message) executed {
	var x executed
	data := receiver.Data(s.template, m)
	run := func(text string) (string, bool) {
		out, err := s.template.ExecuteTextString(text, data)
		if err != nil {
			x.problem = "⚠ A template of this receiver failed: " + escape(err.Error())
		}
		return strings.TrimSpace(out), err == nil
	}
	if s.ownTitle {
		if out, ok := run(s.config.Title); ok {
			x.title = &out
		}
	}
	if s.ownMessage {
		if out, ok := run(s.config.Message); ok {
			x.message = &out
		}
	}
	if out, ok := run(s.config.Content); ok {
		x.content = out
	}
	if out, ok := run(s.settings.ThreadName); ok {
		x.threadName = out
	}
	return x
}
