package mail

import (
	"bytes"
	"context"
	_ "embed" // For the page.
	"encoding/base64"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"maps"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/prometheus/alertmanager/template"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	standardHTML = `{{ template "email.default.html" . }}`
	// graphTimeout is how long a mail waits for its picture.
	graphTimeout            = time.Second
	graphWidth, graphHeight = 900, 320
	graphID                 = "graph@hedgewatch"
	maxGraphBytes           = 1 << 20
	// maxListed bounds what the page shows of a group; the text part has all.
	maxListed = 100
)

//go:embed page.html.tmpl
var pageText string

func parsePage() (*htmltemplate.Template, error) {
	return htmltemplate.New("page").Funcs(htmltemplate.FuncMap{
		"color": func(s receiver.State) htmltemplate.CSS { return htmltemplate.CSS(fmt.Sprintf("#%06x", s.Color())) },
		"stamp": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"lines": func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") },
	}).Parse(pageText)
}

// checkHTML reports a template that can never be executed.
func checkHTML(t *template.Template, text string) error {
	_, err := t.ExecuteHTMLString(text, &template.Data{})
	var failed texttemplate.ExecError
	if err == nil || errors.As(err, &failed) {
		return nil
	}
	return fmt.Errorf("html: %w", err)
}

// letter is a mail ready to go.
type letter struct {
	id    string
	text  []byte
	shown string // What a ledger keeps.
}

func (s *Sender) compose(ctx context.Context, m receiver.Message, e envelope, root string) (letter, error) {
	now := time.Now()
	data := receiver.Data(s.template, m)
	view := receiver.NewView(m, s.template.ExternalURL, now)
	l := letter{id: identify(m, e.from)}

	var head strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.headers)) {
		value, err := s.template.ExecuteTextString(s.headers[name], data)
		if err != nil {
			return l, fmt.Errorf("execute the template of header %q: %w", name, err)
		}
		if name == "Subject" {
			value = subject(value, m, view)
		}
		head.WriteString(header(name, value))
		if name == "Subject" || name == "To" {
			l.shown += name + ": " + value + "\n"
		}
	}
	set := func(name, value string) {
		if _, ok := s.headers[name]; !ok {
			head.WriteString(header(name, value))
		}
	}
	set("Message-Id", l.id)
	set("Date", now.Format(time.RFC1123Z))
	set("Auto-Submitted", "auto-generated") // So that nobody's holiday answers. RFC 3834.
	if thread := s.thread(m, root, now); thread != "" && thread != l.id {
		set("In-Reply-To", thread)
		set("References", thread)
	}
	head.WriteString("Mime-Version: 1.0\r\n")

	text, err := s.text(data, view)
	if err != nil {
		return l, err
	}
	var picture []byte
	if s.page != nil {
		picture = s.picture(ctx, view)
	}
	html, err := s.html(data, view, m, picture != nil)
	if err != nil {
		return l, err
	}
	l.shown += "\n" + text
	l.text = assemble(head.String(), text, html, picture)
	return l, nil
}

// subject replaces what templates cannot know to say.
func subject(text string, m receiver.Message, v receiver.View) string {
	switch {
	case m.Reason == receiver.ReasonTest:
		return "[TEST] " + text
	case m.Storm != nil:
		return v.Headline()
	}
	return text
}

// text is the plain part: the user's, or ours.
func (s *Sender) text(data *template.Data, v receiver.View) (string, error) {
	if s.config.Text == "" {
		return v.Text(), nil
	}
	text, err := s.template.ExecuteTextString(s.config.Text, data)
	if err != nil {
		return "", fmt.Errorf("execute the template of %q: %w", "text", err)
	}
	return text, nil
}

// html is the other part: the user's, ours, or "" if the user wants none.
func (s *Sender) html(data *template.Data, v receiver.View, m receiver.Message, picture bool) (string, error) {
	if s.page == nil {
		html, err := s.template.ExecuteHTMLString(s.config.HTML, data)
		if err != nil {
			return "", fmt.Errorf("execute the template of %q: %w", "html", err)
		}
		return html, nil
	}
	more := 0
	if n := len(v.Alerts); n > maxListed {
		more, v.Alerts = n-maxListed, v.Alerts[:maxListed]
	}
	var b strings.Builder
	err := s.page.Execute(&b, map[string]any{
		"View": v, "Receiver": m.Receiver, "External": data.ExternalURL, "More": more, "Graph": picture,
		"GraphID": htmltemplate.URL("cid:" + graphID),
	})
	if err != nil {
		return "", fmt.Errorf("draw mail: %w", err)
	}
	return b.String(), nil
}

// picture returns the graph of the alert that a view shows first, or nil.
func (s *Sender) picture(ctx context.Context, v receiver.View) []byte {
	if s.graph == nil || !s.settings.Graph || len(v.Alerts) == 0 || v.Test {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, graphTimeout)
	defer cancel()
	png, err := s.graph(ctx, receiver.GraphRequest{Alert: v.Alerts[0].Alert, Width: graphWidth, Height: graphHeight})
	if err != nil || len(png) > maxGraphBytes || len(png) == 0 {
		return nil // A message never fails for the lack of its picture.
	}
	return png
}

// assemble builds the mail. The best alternative comes last (RFC 2046, 5.1.4),
// and the picture belongs to it (RFC 2387):
//
//	multipart/alternative
//	├ text/plain
//	└ multipart/related, if there is a picture
//	  ├ text/html
//	  └ image/png
//
// Writing to a buffer cannot fail, so that no error is looked at.
func assemble(head, text, html string, picture []byte) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	if html == "" {
		b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
		quote(&b, text)
		return b.Bytes()
	}
	w := multipart.NewWriter(&b)
	fmt.Fprintf(&b, "Content-Type: multipart/alternative;\r\n boundary=%q\r\n\r\n", w.Boundary())
	part(w, "text/plain; charset=utf-8", text)
	if picture == nil {
		part(w, "text/html; charset=utf-8", html)
	} else {
		var inner bytes.Buffer
		related := multipart.NewWriter(&inner)
		part(related, "text/html; charset=utf-8", html)
		image, _ := related.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {"image/png"},
			"Content-Transfer-Encoding": {"base64"},
			"Content-Disposition":       {`inline; filename="graph.png"`},
			"Content-Id":                {"<" + graphID + ">"},
		})
		encode(image, picture)
		_ = related.Close()
		outer, _ := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {fmt.Sprintf("multipart/related; type=\"text/html\";\r\n boundary=%q", related.Boundary())},
		})
		_, _ = outer.Write(inner.Bytes())
	}
	_ = w.Close()
	return b.Bytes()
}

func part(w *multipart.Writer, contentType, text string) {
	p, _ := w.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {contentType},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	quote(p, text)
}

func quote(w io.Writer, text string) {
	q := quotedprintable.NewWriter(w)
	_, _ = io.WriteString(q, text)
	_ = q.Close()
}

// encode writes base64 in lines.
func encode(w io.Writer, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 0 {
		n := min(len(text), lineLength)
		_, _ = io.WriteString(w, text[:n]+"\r\n")
		text = text[n:]
	}
}
