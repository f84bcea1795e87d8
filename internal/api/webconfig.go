package api

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

const (
	// maxBcryptCost keeps one login under a few seconds of CPU.
	maxBcryptCost = 15
	// minTokenLength keeps tokens out of reach of guessing: a token is
	// compared without the throttle that protects passwords.
	minTokenLength = 20
)

// webConfig is the web config file: exporter-toolkit's, and bearer tokens.
type webConfig struct {
	toolkit.Config `yaml:",inline"`
	BearerTokens   []bearerToken `yaml:"bearer_tokens"`
}

// bearerToken is known by its hash, or read from a file.
type bearerToken struct {
	Name      string `yaml:"name"`
	SHA256    string `yaml:"sha256"`
	TokenFile string `yaml:"token_file"`
}

// access is one loaded state of who gets in. It is never changed, only
// replaced as a whole.
type access struct {
	users   map[string][]byte // name → bcrypt hash
	tokens  []token
	headers map[string]string
	limiter *rate.Limiter // nil: no limit
	tls     *tls.Config   // nil: plain HTTP
	http2   bool
	// clientCerts tells that TLS lets nobody in without a certificate.
	clientCerts bool
}

type token struct {
	name string
	hash [sha256.Size]byte
}

// hasLogin tells whether the file names users or tokens.
func (a *access) hasLogin() bool { return len(a.users) > 0 || len(a.tokens) > 0 }

// loadAccess reads a web config file, and all files it names.
func loadAccess(path string) (*access, []string, error) {
	c, err := readWebConfig(path)
	if err != nil {
		return nil, []string{path}, fmt.Errorf("web config %q: %w", path, err)
	}
	a, err := c.access(filepath.Dir(path))
	if err != nil {
		err = fmt.Errorf("web config %q: %w", path, err)
	}
	return a, append(c.files(filepath.Dir(path)), path), err
}

func readWebConfig(path string) (*webConfig, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// The defaults are exporter-toolkit's.
	c := &webConfig{Config: toolkit.Config{
		TLSConfig: toolkit.TLSConfig{
			MinVersion:               tls.VersionTLS12,
			MaxVersion:               tls.VersionTLS13,
			PreferServerCipherSuites: true,
		},
		HTTPConfig: toolkit.HTTPConfig{HTTP2: true},
	}}
	if err := yaml.UnmarshalStrict(content, c); err != nil {
		return nil, err
	}
	c.TLSConfig.SetDirectory(filepath.Dir(path))
	return c, nil
}

// files are those whose change must be noticed.
func (c *webConfig) files(dir string) []string {
	files := []string{c.TLSConfig.TLSCertPath, c.TLSConfig.TLSKeyPath, c.TLSConfig.ClientCAs}
	for _, t := range c.BearerTokens {
		if t.TokenFile != "" {
			files = append(files, inDir(dir, t.TokenFile))
		}
	}
	return slices.DeleteFunc(files, func(f string) bool { return f == "" })
}

func inDir(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// access checks the file and reports all that is wrong with it.
func (c *webConfig) access(dir string) (*access, error) {
	a := &access{users: map[string][]byte{}, headers: c.HTTPConfig.Header, http2: c.HTTPConfig.HTTP2}
	var errs []error

	for _, name := range slices.Sorted(maps.Keys(c.Users)) {
		hash := []byte(c.Users[name])
		if err := checkUser(name, hash); err != nil {
			errs = append(errs, fmt.Errorf("basic_auth_users: %w", err))
			continue
		}
		a.users[name] = hash
	}
	for i, t := range c.BearerTokens {
		hash, err := t.digest(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("bearer_tokens[%d]: %w", i, err))
		}
		a.tokens = append(a.tokens, token{name: t.Name, hash: hash})
	}
	errs = append(errs, checkHeaders(c.HTTPConfig.Header))

	if l := c.RateLimiterConfig; l.Interval < 0 || l.Burst < 0 || (l.Interval > 0) != (l.Burst > 0) {
		errs = append(errs, errors.New("rate_limit: interval and burst are both needed and positive"))
	} else if l.Interval > 0 {
		a.limiter = rate.NewLimiter(rate.Every(l.Interval), l.Burst)
	}
	if c.TLSConfig.IsEnabled() {
		var err error
		if a.tls, err = serverTLS(&c.TLSConfig, a.http2); err != nil {
			errs = append(errs, fmt.Errorf("tls_server_config: %w", err))
		} else {
			a.clientCerts = a.tls.ClientAuth == tls.RequireAndVerifyClientCert
		}
	}
	return a, errors.Join(errs...)
}

func checkUser(name string, hash []byte) error {
	if name == "" || strings.Contains(name, ":") {
		return fmt.Errorf("user name %q: must not be empty or contain a colon", name)
	}
	cost, err := bcrypt.Cost(hash)
	if err != nil {
		return fmt.Errorf("user %q: the password must be a bcrypt hash, e.g. from htpasswd -nBC 10 %q: %w", name, name, err)
	}
	if cost > maxBcryptCost {
		return fmt.Errorf("user %q: bcrypt cost %d makes every login take too long; use 10-%d", name, cost, maxBcryptCost)
	}
	return nil
}

func (t bearerToken) digest(dir string) (hash [sha256.Size]byte, err error) {
	if t.Name == "" {
		return hash, errors.New("name is missing; it is what the log calls the token")
	}
	if (t.SHA256 == "") == (t.TokenFile == "") {
		return hash, fmt.Errorf("token %q: give either sha256 or token_file", t.Name)
	}
	if t.SHA256 != "" {
		raw, err := hex.DecodeString(t.SHA256)
		if err != nil || len(raw) != sha256.Size {
			return hash, fmt.Errorf("token %q: sha256 must be 64 hexadecimal digits, e.g. from printf %%s TOKEN | sha256sum", t.Name)
		}
		return [sha256.Size]byte(raw), nil
	}
	content, err := os.ReadFile(inDir(dir, t.TokenFile))
	if err != nil {
		return hash, fmt.Errorf("token %q: %w", t.Name, err)
	}
	secret := strings.TrimSpace(string(content))
	if len(secret) < minTokenLength {
		return hash, fmt.Errorf("token %q: file %q holds %d characters; use at least %d random ones", t.Name, t.TokenFile, len(secret), minTokenLength)
	}
	return sha256.Sum256([]byte(secret)), nil
}

// checkHeaders allows what exporter-toolkit allows: headers about security.
func checkHeaders(headers map[string]string) error {
	allowed := map[string][]string{
		"Strict-Transport-Security": nil,
		"X-Content-Type-Options":    {"nosniff"},
		"X-Frame-Options":           {"deny", "sameorigin"},
		"X-XSS-Protection":          nil,
		"Content-Security-Policy":   nil,
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		values, known := allowed[name]
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("http_server_config: header %q cannot be set; known are %q", name, slices.Sorted(maps.Keys(allowed))))
		case values != nil && !slices.Contains(values, headers[name]):
			errs = append(errs, fmt.Errorf("http_server_config: header %s: %q is not one of %q", name, headers[name], values))
		}
	}
	return errors.Join(errs...)
}

// serverTLS builds the TLS configuration once. exporter-toolkit's own reads
// the key pair again for every handshake.
func serverTLS(c *toolkit.TLSConfig, http2 bool) (*tls.Config, error) {
	config, err := toolkit.ConfigToTLSConfig(c)
	if err != nil {
		return nil, err
	}
	certificate, err := config.GetCertificate(nil)
	if err != nil {
		return nil, err
	}
	config.GetCertificate = nil
	config.Certificates = []tls.Certificate{*certificate}
	config.NextProtos = []string{"http/1.1"}
	if http2 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	return config, nil
}
