// Package mail sends messages by SMTP: HTML and text, with a picture of the
// graph, and with the mails about one incident in one thread. It obeys all of
// Alertmanager's email_configs, and, unlike Alertmanager, the context while a
// server says nothing.
//
// A mail has the same Message-ID at each attempt, and an attempt leaves out those
// who have it. Start with [New].
package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Options are what a Sender is made of.
type Options struct {
	// Config is an entry of a receiver's email_configs.
	Config   *amconfig.EmailConfig
	Settings Settings
	Template *template.Template
	// Graph is nil if there are no pictures.
	Graph receiver.Graph
}

// Sender is one list of addresses as a destination.
type Sender struct {
	config   *amconfig.EmailConfig
	headers  map[string]string // Templates, by canonical name.
	settings Settings
	template *template.Template
	graph    receiver.Graph
	page     *htmltemplate.Template // Nil if the user has HTML of his own.
}

// New reports everything that would keep messages from being made.
func New(o Options) (*Sender, error) {
	s := &Sender{config: o.Config, settings: o.Settings, template: o.Template, graph: o.Graph}
	var errs []error
	s.headers, errs = headerTemplates(o.Config)
	for _, text := range append(values(s.headers), o.Config.From, o.Config.To, o.Config.Text) {
		errs = append(errs, receiver.CheckTemplate(o.Template, text))
	}
	if err := checkHTML(o.Template, o.Config.HTML); err != nil {
		errs = append(errs, err)
	}
	if _, err := tlsConfig(o.Config); err != nil {
		errs = append(errs, err)
	}
	if !receiver.Customized(o.Template, o.Config.HTML, standardHTML) {
		page, err := parsePage()
		s.page = page
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// memo is what is remembered of a group's mails while its alerts last.
type memo struct {
	// Root is the first mail's Message-ID: the others answer it.
	Root string `json:"root,omitempty"`
	// ID is that of our message which the addresses in Have have been sent.
	ID   string   `json:"id,omitempty"`
	Have []string `json:"have,omitempty"`
}

// Send implements [receiver.Sender].
func (s *Sender) Send(ctx context.Context, m receiver.Message) (receiver.Receipt, error) {
	receipt := receiver.Receipt{Endpoint: s.config.Smarthost.String()}
	var old memo
	if json.Unmarshal(m.Memo, &old) != nil || !messageID.MatchString(old.Root) {
		old = memo{}
	}
	envelope, err := s.envelope(m)
	if err != nil {
		return receipt, &receiver.Error{Kind: receiver.Rejected, Err: err}
	}
	if old.ID == m.ID {
		envelope.to = slices.DeleteFunc(envelope.to, func(a string) bool { return slices.Contains(old.Have, a) })
	}
	letter, err := s.compose(ctx, m, envelope, old.Root)
	if err != nil {
		return receipt, &receiver.Error{Kind: receiver.Rejected, Err: err}
	}
	receipt.Payload = letter.shown

	result := s.deliver(ctx, envelope, letter.text)
	receipt.Status, receipt.Answer = result.status, result.answer
	if result.sent {
		next := memo{Root: old.Root, ID: m.ID, Have: result.have}
		if next.Root == "" {
			next.Root = letter.id
		}
		if old.ID == m.ID {
			next.Have = append(next.Have, old.Have...)
		}
		if receipt.Memo, err = json.Marshal(next); err != nil {
			return receipt, fmt.Errorf("encode memo: %w", err)
		}
		if m.Reason == receiver.ReasonResolved && result.err == nil {
			receipt.Memo = json.RawMessage("null") // The next incident begins a thread of its own.
		}
		if m.Reason == receiver.ReasonTest {
			receipt.Memo = nil
		}
	}
	return receipt, result.err
}

// envelope is who sends to whom.
type envelope struct {
	from string
	to   []string
}

func (s *Sender) envelope(m receiver.Message) (envelope, error) {
	data := receiver.Data(s.template, m)
	addresses := func(name, text string) ([]*netmail.Address, error) {
		text, err := s.template.ExecuteTextString(text, data)
		if err != nil {
			return nil, fmt.Errorf("execute the template of %q: %w", name, err)
		}
		list, err := netmail.ParseAddressList(text)
		if err != nil {
			return nil, fmt.Errorf("the addresses in %q, %q: %w", name, text, err)
		}
		return list, nil
	}
	from, err := addresses("from", s.config.From)
	if err != nil {
		return envelope{}, err
	}
	if len(from) != 1 {
		return envelope{}, fmt.Errorf("%q has %d addresses; a mail has one sender", "from", len(from))
	}
	to, err := addresses("to", s.config.To)
	if err != nil {
		return envelope{}, err
	}
	e := envelope{from: from[0].Address}
	for _, a := range to {
		if !slices.Contains(e.to, a.Address) {
			e.to = append(e.to, a.Address)
		}
	}
	return e, nil
}

// identify makes the Message-ID of a message, in the domain of its sender.
func identify(m receiver.Message, from string) string {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + m.Receiver + "\x00" + m.GroupKey))
	_, domain, ok := strings.Cut(from, "@")
	if id := "<" + hex.EncodeToString(sum[:16]) + "@" + domain + ">"; ok && messageID.MatchString(id) {
		return id
	}
	return "<" + hex.EncodeToString(sum[:16]) + "@hedgewatch.invalid>"
}

// thread is the Message-ID that the mails of a group answer, or "" for the first.
func (s *Sender) thread(m receiver.Message, root string, now time.Time) string {
	if !s.config.Threading.Enabled {
		return root
	}
	// As Alertmanager names the threads that it is told to make.
	sum := sha256.Sum256([]byte(m.GroupKey))
	date := ""
	if s.config.Threading.ThreadByDate != "none" {
		date = now.Format(time.DateOnly)
	}
	return "<alert-" + hex.EncodeToString(sum[:8]) + "-" + date + "@alertmanager>"
}
