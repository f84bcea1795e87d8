package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	commoncfg "github.com/prometheus/common/config"
)

// Settings are ours for a receiver's `webhook_configs`: the `webhook` key of
// `delivery.receivers`.
type Settings struct {
	// HMACSecret signs each request, as Standard Webhooks does. Either text, or
	// base64 after "whsec_".
	HMACSecret     commoncfg.Secret `yaml:"hmac_secret,omitempty"`
	HMACSecretFile string           `yaml:"hmac_secret_file,omitempty"`
	// Headers are added to each request.
	Headers map[string]commoncfg.Secret `yaml:"headers,omitempty"`
	// Body is a template that takes the place of Alertmanager's JSON.
	Body string `yaml:"body,omitempty"`
}

// What HTTP allows: RFC 9110, 5.1 and 5.5.
var (
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	headerValue = regexp.MustCompile(`^[^\x00-\x08\x0a-\x1f\x7f]*$`)
)

// Validate reports everything that is wrong, each problem with its key.
func (s Settings) Validate() error {
	var errs []error
	if s.HMACSecret != "" && s.HMACSecretFile != "" {
		errs = append(errs, errors.New("hmac_secret_file: hmac_secret is given; keep one of the two"))
	}
	if _, err := key(string(s.HMACSecret)); err != nil {
		errs = append(errs, fmt.Errorf("hmac_secret: %w", err))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		switch {
		case !headerName.MatchString(name):
			errs = append(errs, fmt.Errorf("headers: %q is no name of a header", name))
		case !headerValue.MatchString(string(s.Headers[name])):
			errs = append(errs, fmt.Errorf("headers.%s: the value has characters that no header may have", name))
		case slices.Contains([]string{"host", "content-length", "transfer-encoding", headerID, headerTimestamp, headerSignature}, strings.ToLower(name)):
			errs = append(errs, fmt.Errorf("headers.%s: this header is set by hedgewatch; remove it", name))
		}
	}
	return errors.Join(errs...)
}

// secretKey reads the key to sign with; nil means not to sign.
func (s Settings) secretKey() ([]byte, error) {
	if s.HMACSecretFile == "" {
		return key(string(s.HMACSecret))
	}
	text, err := os.ReadFile(s.HMACSecretFile)
	if err != nil {
		return nil, fmt.Errorf("read hmac_secret_file: %w", err)
	}
	k, err := key(strings.TrimSpace(string(text)))
	if err == nil && len(k) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("hmac_secret_file %q: %w", s.HMACSecretFile, err)
	}
	return k, nil
}

func key(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return []byte(secret), nil
	}
	k, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(k) == 0 {
		return nil, errors.New(`what follows "whsec_" is not base64`)
	}
	return k, nil
}
