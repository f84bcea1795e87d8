package alerting

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func TestDiscord(t *testing.T) {
	type payload struct {
		Username string `json:"username"`
		Embeds   []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			Color       int    `json:"color"`
		} `json:"embeds"`
	}
	got := make(chan payload, 10)
	discord := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p payload
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil || r.URL.Path != "/api/webhooks/1/token" {
			t.Errorf("got a request to %s, decoding error %v", r.URL.Path, err)
		}
		got <- p
		w.WriteHeader(http.StatusNoContent)
	}))
	defer discord.Close()
	a := startAlerting(t, loadConfig(t, `
route: {receiver: discord, group_wait: 0s, group_interval: 100ms}
receivers: [{name: discord, discord_configs: [{webhook_url: %q}]}]
`, discord.URL+"/api/webhooks/1/token"), testDeps(t, t.TempDir()))

	const red, green = 0x992D22, 0x2ECC71
	a.put(t, firing("alertname", "BinanceBanned", "account", "one"))
	for _, want := range []struct {
		title string
		color int
	}{{"[FIRING:1]", red}, {"[RESOLVED]", green}} {
		select {
		case p := <-got:
			if len(p.Embeds) != 1 || !strings.HasPrefix(p.Embeds[0].Title, want.title) || p.Embeds[0].Color != want.color {
				t.Errorf("got %+v, want one embed %q in %#x", p, want.title, want.color)
			}
		case <-time.After(patience):
			t.Fatal("nothing was posted")
		}
		a.put(t, resolved("alertname", "BinanceBanned", "account", "one"))
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
