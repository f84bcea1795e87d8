package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	// longest bounds an attempt whose context has no deadline.
	longest = time.Minute
	// farewell bounds the end of a conversation that has done its work.
	farewell = time.Second
	// maxReplies bounds what a server may say.
	maxReplies = 1 << 20
	maxAnswer  = 1 << 10
)

// result is how a delivery went. The mail may have been sent, to those in have,
// although there is an error about others.
type result struct {
	sent   bool
	have   []string
	status int
	answer string
	err    error
}

// step names a part of the conversation; it decides what a refusal means.
type step string

const (
	connect  step = "connect to"
	greet    step = "greet"
	secure   step = "start TLS with"
	login    step = "log in at"
	senderOf step = "name the sender to"
	address  step = "name a recipient to"
	content  step = "give the mail to"
)

// deliver has one conversation with the server.
func (s *Sender) deliver(ctx context.Context, e envelope, text []byte) (r result) {
	if len(e.to) == 0 { // Everybody has it; only the answer got lost.
		return result{sent: true, status: 250}
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	fail := func(at step, err error) result {
		r.status, r.answer, r.err = s.judge(ctx, at, err)
		return r
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return fail(connect, err)
	}
	defer conn.Close()
	// The library knows no context; a deadline in the past ends what it does.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	c, err := smtp.NewClient(conn, s.config.Smarthost.Host)
	if err != nil {
		return fail(connect, err)
	}
	if at, err := s.open(c); err != nil {
		return fail(at, err)
	}
	if err := c.Mail(e.from); err != nil {
		return fail(senderOf, err)
	}
	var refused error
	for _, to := range e.to {
		if err := c.Rcpt(to); err != nil {
			refused = worst(refused, fmt.Errorf("%s: %w", to, err))
		} else {
			r.have = append(r.have, to)
		}
	}
	if len(r.have) == 0 {
		return fail(address, refused)
	}
	w, err := c.Data()
	if err == nil {
		if _, err = w.Write(text); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return fail(content, err)
	}
	r.sent, r.status = true, 250
	_ = conn.SetDeadline(time.Now().Add(farewell))
	_ = c.Quit() // The mail is theirs, whatever they say to this.
	if refused != nil {
		status, answer, err := s.judge(ctx, address, refused)
		kind := receiver.KindOf(err)
		if kind == receiver.Dead {
			kind = receiver.Rejected // The destination lives: the others have it.
		}
		r.status, r.answer = status, answer
		r.err = &receiver.Error{Kind: kind, Err: fmt.Errorf("%d of %d recipients refused, the others have the mail: %w", len(e.to)-len(r.have), len(e.to), err)}
	}
	return r
}

// open brings the conversation to the point where a mail can begin.
func (s *Sender) open(c *smtp.Client) (step, error) {
	if s.config.Hello != "" {
		if err := c.Hello(s.config.Hello); err != nil {
			return greet, err
		}
	}
	if !s.implicitTLS() && s.config.RequireTLS != nil && *s.config.RequireTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return secure, errors.New("it offers no STARTTLS, which require_tls asks for")
		}
		config, err := tlsConfig(s.config)
		if err != nil {
			return secure, err
		}
		if err := c.StartTLS(config); err != nil {
			return secure, err
		}
	}
	ok, mechanisms := c.Extension("AUTH")
	if !ok || s.config.AuthUsername == "" {
		return "", nil
	}
	auth, err := s.auth(mechanisms)
	if err != nil {
		return login, err
	}
	return login, c.Auth(auth)
}

// implicitTLS is Alertmanager's rule: the setting, or else the port.
func (s *Sender) implicitTLS() bool {
	if s.config.ForceImplicitTLS != nil {
		return *s.config.ForceImplicitTLS
	}
	return s.config.Smarthost.Port == "465"
}

func (s *Sender) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.config.Smarthost.String())
	if err != nil {
		return nil, err
	}
	conn = &bounded{Conn: conn, left: maxReplies}
	if !s.implicitTLS() {
		return conn, nil
	}
	config, err := tlsConfig(s.config)
	if err == nil {
		secured := tls.Client(conn, config)
		if err = secured.HandshakeContext(ctx); err == nil {
			return secured, nil
		}
	}
	_ = conn.Close()
	return nil, err
}

func tlsConfig(c *amconfig.EmailConfig) (*tls.Config, error) {
	var settings commoncfg.TLSConfig
	if c.TLSConfig != nil {
		settings = *c.TLSConfig
	}
	config, err := commoncfg.NewTLSConfig(&settings)
	if err != nil {
		return nil, fmt.Errorf("tls_config: %w", err)
	}
	if config.ServerName == "" {
		config.ServerName = c.Smarthost.Host
	}
	return config, nil
}

// bounded is a connection that ends when the other side has said too much.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the server says too much")
	}
	n, err := b.Conn.Read(p)
	b.left -= n
	return n, err
}

// judge decides what a failure means for the next attempts.
func (s *Sender) judge(ctx context.Context, at step, err error) (status int, answer string, _ error) {
	var reply *textproto.Error
	kind := receiver.Retry
	if errors.As(err, &reply) {
		status, answer = reply.Code, receiver.Clip(s.hide(reply.Msg), maxAnswer)
		switch {
		case status/100 != 5: // For the moment only.
		case at == content:
			kind = receiver.Rejected
		case at == login, at == senderOf, at == address:
			kind = receiver.Dead // The next mail would fare the same.
		}
	} else if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	text := s.hide(err.Error())
	return status, answer, &receiver.Error{Kind: kind, Err: fmt.Errorf("%s mail server %s: %s", at, s.config.Smarthost.String(), receiver.Clip(text, maxAnswer))}
}

// hide takes passwords out of what a server says.
func (s *Sender) hide(text string) string {
	password, _ := read("", s.config.AuthPassword, s.config.AuthPasswordFile) // None is fine.
	secret, _ := read("", s.config.AuthSecret, s.config.AuthSecretFile)
	for _, secret := range []string{password, secret} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "<secret>")
		}
	}
	return text
}

// worst keeps the refusal that needs more attempts: of two, the temporary one.
func worst(a, b error) error {
	var reply *textproto.Error
	if a == nil || errors.As(a, &reply) && reply.Code/100 == 5 {
		return b
	}
	return a
}
