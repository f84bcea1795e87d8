package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// postOffice is go-smtp, a server in use elsewhere, with what a test wants of it.
type postOffice struct {
	address string

	mu      sync.Mutex
	letters []delivered
	refuse  map[string]error // By address, or "DATA".
	logins  []string
}

type delivered struct {
	from string
	to   []string
	text string
}

const password = "pa55-that-must-stay-secret"

type serverOption func(*smtp.Server)

func openPostOffice(t *testing.T, implicitTLS bool, opts ...serverOption) *postOffice {
	t.Helper()
	p := &postOffice{refuse: make(map[string]error)}
	server := smtp.NewServer(p)
	server.Domain = "localhost"
	server.AllowInsecureAuth = true
	server.ErrorLog = silent{}
	for _, o := range opts {
		o(server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	if implicitTLS {
		l = tls.NewListener(l, server.TLSConfig)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // It ends with an error, always.
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return p
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// withTLS gives the server a certificate of its own making.
func withTLS(t *testing.T) serverOption {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	usual := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, &usual, &usual, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return func(s *smtp.Server) {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: private}}}
	}
}

// NewSession implements smtp.Backend.
func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{p: p}, nil }

func (p *postOffice) refusal(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuse[what]
}

func (p *postOffice) all() []delivered {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.letters
}

type session struct {
	p      *postOffice
	letter delivered
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.letter = delivered{from: from}
	return s.p.refusal(from)
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.p.refusal(to); err != nil {
		return err
	}
	s.letter.to = append(s.letter.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.p.refusal("DATA"); err != nil {
		return err
	}
	s.letter.text = string(text)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.letters = append(s.p.letters, s.letter)
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// withLogin makes sessions that ask for a password by one mechanism.
func (p *postOffice) withLogin(mechanism string) serverOption {
	return func(s *smtp.Server) { s.Backend = loginBackend{p, mechanism} }
}

type loginBackend struct {
	p         *postOffice
	mechanism string
}

func (b loginBackend) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &loginSession{session{p: b.p}, b.mechanism}, nil
}

type loginSession struct {
	session
	mechanism string
}

func (s *loginSession) AuthMechanisms() []string { return []string{"XOAUTH2", s.mechanism} }

func (s *loginSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(username, given string) error {
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		s.p.logins = append(s.p.logins, mechanism)
		if username != "ada" || given != password {
			return &smtp.SMTPError{Code: 535, Message: "who are you with " + given}
		}
		return nil
	}
	if mechanism == "PLAIN" {
		return sasl.NewPlainServer(func(_, username, given string) error { return check(username, given) }), nil
	}
	return &loginServer{check: check}, nil
}

// loginServer is the other side of LOGIN.
type loginServer struct {
	check   func(username, given string) error
	answers []string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		l.answers = append(l.answers, string(response))
	}
	switch len(l.answers) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.answers[0], l.answers[1])
}

// config is what Alertmanager makes of a file with one email_configs.
func config(t *testing.T, address, more string) *amconfig.EmailConfig {
	t.Helper()
	c, err := amconfig.Load(`
global: {smtp_smarthost: '` + address + `', smtp_from: 'Hedge Watch <hedgewatch@example.org>', smtp_require_tls: false}
route: {receiver: mail}
receivers: [{name: mail, email_configs: [{to: 'trader@example.org', ` + more + `}]}]`)
	if err != nil {
		t.Fatal(err)
	}
	return c.Receivers[0].EmailConfigs[0]
}

func options(t *testing.T, address, more string) Options {
	t.Helper()
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{Scheme: "https", Host: "hedgewatch.example"}
	return Options{Config: config(t, address, more), Settings: DefaultSettings(), Template: tmpl}
}

func build(t *testing.T, address, more string) *Sender {
	t.Helper()
	s, err := New(options(t, address, more))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func message(id string, reason receiver.Reason, accounts ...string) receiver.Message {
	m := receiver.Message{
		ID: id, Receiver: "mail", GroupKey: `{}:{alertname="SyncLag"}`, Reason: reason, QueuedAt: time.Now(),
		GroupLabels: model.LabelSet{"alertname": "SyncLag"},
	}
	for _, account := range accounts {
		m.Alerts = append(m.Alerts, &alert.Alert{Alert: model.Alert{
			Labels: model.LabelSet{"alertname": "SyncLag", "severity": "critical", "account": model.LabelValue(account)},
			Annotations: model.LabelSet{
				"summary": model.LabelValue("Account " + account + " is behind."), "description": "Orders may be sent\non old balances.",
				"runbook_url": "https://example.org/runbooks/SyncLag.md", "value": "12.5 s",
			},
			StartsAt: time.Now().Add(-time.Minute), GeneratorURL: "https://hedgewatch.example/graph?g0.expr=lag+%3E+10",
		}})
	}
	return m
}

// parts takes a mail apart: its headers, and its parts by content type.
func parts(t *testing.T, text string) (netmail.Header, map[string]string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	bodies := make(map[string]string)
	takeApart(t, m.Header.Get("Content-Type"), m.Body, bodies)
	return m.Header, bodies
}

func takeApart(t *testing.T, contentType string, body io.Reader, into map[string]string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		var b bytes.Buffer
		if _, err := b.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		into[kind] = strings.ReplaceAll(b.String(), "\r\n", "\n")
		return
	}
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		takeApart(t, p.Header.Get("Content-Type"), p, into)
	}
}
