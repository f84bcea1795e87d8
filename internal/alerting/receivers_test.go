package alerting

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// TestDiscord brings an incident through all of the path to one message.
func TestDiscord(t *testing.T) {
	channel := discordtest.New(discordtest.Options{})
	server := httptest.NewServer(channel)
	defer server.Close()
	address := server.URL + channel.Add(discordtest.Webhook{ID: "1", Token: "token"})
	cfg := loadConfig(t, `
route: {receiver: discord, group_by: [alertname], group_wait: 0s, group_interval: 100ms}
receivers: [{name: discord, discord_configs: [{webhook_url: %q}]}]
`, address)
	delivery := DefaultDelivery()
	delivery.Receivers = []NamedSettings{{Name: "discord", ReceiverSettings: ReceiverSettings{
		Discord: &discord.Settings{Resolved: discord.ResolvedBoth, Mentions: map[string][]string{"warning": {"<@&77>"}}},
	}}}
	cfg.Delivery = &delivery
	a := startAlerting(t, cfg, testDeps(t, t.TempDir()))

	a.put(t, firing("alertname", "BinanceBanned", "account", "one"))
	eventually(t, "a message", func() bool { return len(channel.Messages()) == 1 })
	a.put(t, firing("alertname", "BinanceBanned", "account", "two"))
	eventually(t, "an edit and a line", func() bool { ms := channel.Messages(); return len(ms) == 2 && len(ms[0].Edits) == 1 })
	a.put(t, resolved("alertname", "BinanceBanned", "account", "one"), resolved("alertname", "BinanceBanned", "account", "two"))
	eventually(t, "another edit and a line", func() bool {
		ms := channel.Messages()
		return len(ms) == 3 && strings.Contains(ms[0].Embeds[0].Title, "(2 resolved)")
	})
	for i, want := range []struct {
		text   string
		called int
	}{{"✅ BinanceBanned", 1}, {"account=two", 1}, {"Resolved", 0}} {
		m := channel.Messages()[i]
		text := m.Content
		for _, e := range m.Embeds {
			text += e.Title
		}
		if !strings.Contains(text, want.text) || len(m.Called) != want.called {
			t.Errorf("message %d: got %q, called %q; want %q in it and %d called", i, text, m.Called, want.text, want.called)
		}
	}
	ds, err := a.Deliveries(t.Context(), DeliveryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		if text := fmt.Sprintf("%+v", d); strings.Contains(text, "1/token") || d.Status != http.StatusOK || !strings.Contains(text, "<secret>") {
			t.Errorf("the ledger has %s", text)
		}
	}
}

// mailbox is the backend of go-smtp, a server in use elsewhere; what it makes
// of the conversation is therefore not our own opinion of SMTP.
type mailbox struct{ got chan letter }

type letter struct {
	from string
	to   []string
	body string
}

// NewSession implements smtp.Backend.
func (b mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }

type session struct {
	box    mailbox
	letter letter
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.letter = letter{from: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to = append(s.letter.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.letter.body = string(b)
	s.box.got <- s.letter
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func TestEmail(t *testing.T) {
	box := mailbox{got: make(chan letter, 10)}
	server := smtp.NewServer(box)
	server.Domain = "localhost"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	}()

	a := startAlerting(t, loadConfig(t, `
global: {smtp_smarthost: %q, smtp_from: 'hedgewatch@example.org', smtp_require_tls: false}
route: {receiver: mail, group_wait: 0s, group_interval: 100ms}
receivers: [{name: mail, email_configs: [{to: 'trader@example.org', send_resolved: true}]}]
`, l.Addr()), testDeps(t, t.TempDir()))
	a.put(t, firing("alertname", "SyncLag", "account", "one"))
	for _, subject := range []string{"[FIRING:1]", "[RESOLVED]"} {
		select {
		case m := <-box.got:
			parsed, err := mail.ReadMessage(strings.NewReader(m.body))
			if err != nil {
				t.Fatal(err)
			}
			if m.from != "hedgewatch@example.org" || len(m.to) != 1 || m.to[0] != "trader@example.org" {
				t.Errorf("got a letter from %s to %v", m.from, m.to)
			}
			if got := parsed.Header.Get("Subject"); !strings.HasPrefix(got, subject) || !strings.Contains(got, "SyncLag") {
				t.Errorf("got subject %q, want %s with the alert's name", got, subject)
			}
			if !strings.Contains(m.body, "http://hedgewatch.example") {
				t.Error("the letter has no link to hedgewatch")
			}
		case <-time.After(patience):
			t.Fatal("no letter arrived")
		}
		a.put(t, resolved("alertname", "SyncLag", "account", "one"))
	}
}
