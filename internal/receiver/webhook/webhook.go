// Package webhook sends messages to an HTTP server as Alertmanager does, byte
// for byte, and on request signed, with more headers or with another body.
//
// It makes one attempt; what an answer means for the next one stands in judge.
// Start with [New].
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/notify"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Options are what a Sender is made of.
type Options struct {
	// Config is an entry of a receiver's webhook_configs.
	Config   *amwebhook.WebhookConfig
	Settings Settings
	Template *template.Template
	// HTTP are options of the client, as for Alertmanager's own.
	HTTP []commoncfg.HTTPClientOption
}

// Sender is one URL as a destination.
type Sender struct {
	config   *amwebhook.WebhookConfig
	settings Settings
	template *template.Template
	client   *http.Client
}

// New reports everything that would keep messages from being made.
func New(o Options) (*Sender, error) {
	errs := []error{
		o.Settings.Validate(),
		receiver.CheckTemplate(o.Template, o.Settings.Body),
		receiver.CheckTemplate(o.Template, string(o.Config.URL)),
	}
	if o.Settings.Body != "" && o.Config.Payload != nil {
		errs = append(errs, errors.New("body: webhook_configs has a payload already; keep one of the two"))
	}
	config := commoncfg.DefaultHTTPClientConfig
	if o.Config.HTTPConfig != nil {
		config = *o.Config.HTTPConfig
	}
	client, err := notify.NewClientWithTracing(config, "webhook", o.HTTP...)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return &Sender{config: o.Config, settings: o.Settings, template: o.Template, client: client}, nil
}

// Send implements [receiver.Sender].
func (s *Sender) Send(ctx context.Context, m receiver.Message) (receiver.Receipt, error) {
	var receipt receiver.Receipt
	body, err := s.body(m)
	if err != nil {
		return receipt, &receiver.Error{Kind: receiver.Rejected, Err: err}
	}
	receipt.Payload = string(body)
	target, err := s.target(m)
	if err != nil {
		return receipt, err
	}
	receipt.Endpoint = receiver.HidePath(target)
	if s.config.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("no answer within the configured timeout of %s", s.config.Timeout))
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return receipt, fmt.Errorf("make request: %w", receiver.WithoutURL(err))
	}
	req.Header.Set("User-Agent", receiver.UserAgent)
	req.Header.Set("Content-Type", "application/json")
	for name, value := range s.settings.Headers {
		req.Header.Set(name, string(value))
	}
	key, err := s.settings.secretKey()
	if err != nil {
		return receipt, err
	}
	if len(key) > 0 {
		sign(req.Header, key, m.ID, time.Now(), body)
	}
	answer, err := receiver.Do(s.client, req)
	receipt.Status, receipt.Answer = answer.Status, answer.Shown(s.secrets(target)...)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return receipt, fmt.Errorf("post to %s: %w", receipt.Endpoint, err)
	}
	return receipt, judge(answer, time.Now())
}

// judge decides what an answer means. That a path is unknown or a token wrong is
// common while a service is being replaced, and such services are our own: it is
// worth more attempts, where Discord would ban us for them. 410 says that it is
// for good. What is wrong with one message, 400 or 413, stays wrong.
func judge(a receiver.Answer, now time.Time) error {
	if a.Status/100 == 2 {
		return nil
	}
	err := fmt.Errorf("the server answered %d %s", a.Status, http.StatusText(a.Status))
	switch a.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after, ok := receiver.RetryAfter(a.Header, now)
		if ok {
			return &receiver.Error{Kind: receiver.Paced, After: after, Err: err}
		}
		return &receiver.Error{Kind: receiver.Retry, Err: err}
	case http.StatusGone:
		return &receiver.Error{Kind: receiver.Dead, Err: err}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly:
		return &receiver.Error{Kind: receiver.Retry, Err: err}
	}
	if a.Status/100 == 4 {
		return &receiver.Error{Kind: receiver.Rejected, Err: err}
	}
	return &receiver.Error{Kind: receiver.Retry, Err: err}
}

// body is what to send: Alertmanager's JSON unless the user has another.
func (s *Sender) body(m receiver.Message) ([]byte, error) {
	m.Alerts, m.Storm = receiver.WithStorm(m), nil // Before they are counted.
	var truncated uint64
	if n := s.config.MaxAlerts; n > 0 && uint64(len(m.Alerts)) > n {
		m.Alerts, truncated = m.Alerts[:n], uint64(len(m.Alerts))-n
	}
	data := receiver.Data(s.template, m)
	if s.settings.Body != "" {
		text, err := s.template.ExecuteTextString(s.settings.Body, data)
		if err != nil {
			return nil, fmt.Errorf("execute delivery's webhook body: %w", err)
		}
		return []byte(text), nil
	}
	var v any = &amwebhook.Message{Data: data, Version: "4", GroupKey: m.GroupKey, TruncatedAlerts: truncated}
	if s.config.Payload != nil {
		var err error
		v, err = template.DeepCopyWithTemplate(s.config.Payload, func(text string) (string, error) {
			return s.template.ExecuteTextString(text, data)
		})
		if err != nil {
			return nil, fmt.Errorf("execute payload: %w", err)
		}
	}
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return buf.Bytes(), nil
}

// target is the URL to post to; its text may be a template. No error shows it.
func (s *Sender) target(m receiver.Message) (*url.URL, error) {
	text := string(s.config.URL)
	if text == "" {
		// Read each time: it may be replaced while we run.
		content, err := os.ReadFile(s.config.URLFile)
		if err != nil {
			return nil, fmt.Errorf("read url_file: %w", err)
		}
		text = strings.TrimSpace(string(content))
	}
	text, err := s.template.ExecuteTextString(text, receiver.Data(s.template, m))
	if err != nil {
		return nil, errors.New("execute the webhook's url: its template failed")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the webhook's url is no URL; it begins with http:// or https://")
	}
	return u, nil
}

// secrets are what an answer might repeat.
func (s *Sender) secrets(target *url.URL) []string {
	password, _ := target.User.Password()
	secrets := []string{target.String(), target.RequestURI(), password, string(s.settings.HMACSecret)}
	if len(strings.Trim(target.Path, "/")) < 4 {
		secrets[1] = "" // Too short to be one, or to be replaced everywhere.
	}
	for _, value := range s.settings.Headers {
		secrets = append(secrets, string(value))
	}
	return secrets
}
