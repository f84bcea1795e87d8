package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Endpoint is where bodies are posted that are no notifications.
type Endpoint struct {
	// URL may hold a token, so it is shown to nobody.
	URL     commoncfg.Secret `yaml:"url,omitempty"`
	URLFile string           `yaml:"url_file,omitempty"`
	// HMACSecret and Headers are those of [Settings].
	HMACSecret     commoncfg.Secret            `yaml:"hmac_secret,omitempty"`
	HMACSecretFile string                      `yaml:"hmac_secret_file,omitempty"`
	Headers        map[string]commoncfg.Secret `yaml:"headers,omitempty"`
	HTTPConfig     commoncfg.HTTPClientConfig  `yaml:"http_config,omitempty"`
	// Timeout is what one attempt may take.
	Timeout model.Duration `yaml:"timeout"`
}

// UnmarshalYAML puts the file's values over the defaults.
func (e *Endpoint) UnmarshalYAML(unmarshal func(any) error) error {
	*e = Endpoint{HTTPConfig: commoncfg.DefaultHTTPClientConfig, Timeout: model.Duration(10 * time.Second)}
	type plain Endpoint
	return unmarshal((*plain)(e))
}

func (e Endpoint) settings() Settings {
	return Settings{HMACSecret: e.HMACSecret, HMACSecretFile: e.HMACSecretFile, Headers: e.Headers}
}

// Validate reports everything that is wrong, without showing the URL.
func (e Endpoint) Validate() error {
	errs := []error{e.settings().Validate()}
	if (e.URL == "") == (e.URLFile == "") {
		errs = append(errs, errors.New("give one of url and url_file"))
	}
	if e.URL != "" {
		_, err := parseTarget(string(e.URL))
		errs = append(errs, err)
	}
	if err := e.HTTPConfig.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("http_config: %w", err))
	}
	if d := time.Duration(e.Timeout); d < time.Second || d > 5*time.Minute {
		errs = append(errs, fmt.Errorf("timeout: %s: use 1s to 5m", d))
	}
	return errors.Join(errs...)
}

func parseTarget(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("url: it is no URL; it begins with http:// or https://")
	}
	return u, nil
}

// Poster posts JSON to an endpoint, signed as notifications are.
type Poster struct {
	endpoint Endpoint
	client   *http.Client
}

// NewPoster reports everything that would keep bodies from being sent.
func NewPoster(e Endpoint) (*Poster, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	client, err := commoncfg.NewClientFromConfig(e.HTTPConfig, "webhook")
	if err != nil {
		return nil, fmt.Errorf("http_config: %w", err)
	}
	return &Poster{endpoint: e, client: client}, nil
}

// Close gives up connections that are idle.
func (p *Poster) Close() { p.client.CloseIdleConnections() }

// Post makes one attempt. id is the same for each attempt at a body, also in the
// header webhook-id. What the answer means for the next attempt is in a
// [receiver.Error]; an error that is none means that it may go better next time.
func (p *Poster) Post(ctx context.Context, id string, body []byte) error {
	text := string(p.endpoint.URL)
	if text == "" {
		content, err := os.ReadFile(p.endpoint.URLFile) // Each time: it may be replaced.
		if err != nil {
			return fmt.Errorf("read url_file: %w", err)
		}
		text = strings.TrimSpace(string(content))
	}
	target, err := parseTarget(text)
	if err != nil {
		return err
	}
	timeout := time.Duration(p.endpoint.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", receiver.WithoutURL(err))
	}
	req.Header.Set("User-Agent", receiver.UserAgent)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerID, id)
	for name, value := range p.endpoint.Headers {
		req.Header.Set(name, string(value))
	}
	key, err := p.endpoint.settings().secretKey()
	if err != nil {
		return err
	}
	if len(key) > 0 {
		sign(req.Header, key, id, time.Now(), body)
	}
	answer, err := receiver.Do(p.client, req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("post to %s: %w", receiver.HidePath(target), err)
	}
	return judge(answer, time.Now())
}
