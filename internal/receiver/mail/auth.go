package mail

import (
	"errors"
	"fmt"
	"net/smtp"
	"os"
	"strings"

	commoncfg "github.com/prometheus/common/config"
)

// auth takes the first of the server's mechanisms for which there is a secret.
func (s *Sender) auth(mechanisms string) (smtp.Auth, error) {
	var errs []error
	for mechanism := range strings.FieldsSeq(mechanisms) {
		var secret string
		var err error
		switch mechanism {
		case "CRAM-MD5":
			secret, err = read("auth_secret", s.config.AuthSecret, s.config.AuthSecretFile)
		case "PLAIN", "LOGIN":
			secret, err = read("auth_password", s.config.AuthPassword, s.config.AuthPasswordFile)
		default:
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		switch mechanism {
		case "CRAM-MD5":
			return smtp.CRAMMD5Auth(s.config.AuthUsername, secret), nil
		case "PLAIN":
			return smtp.PlainAuth(s.config.AuthIdentity, s.config.AuthUsername, secret, s.config.Smarthost.Host), nil
		}
		return &loginAuth{s.config.AuthUsername, secret}, nil
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("it offers to log in by %q only; CRAM-MD5, PLAIN and LOGIN are known", mechanisms)
	}
	return nil, errors.Join(errs...)
}

func read(name string, secret commoncfg.Secret, file string) (string, error) {
	text := string(secret)
	if file != "" {
		// Read each time: it may be replaced while we run.
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read %s_file: %w", name, err)
		}
		text = strings.TrimSpace(string(content))
	}
	if text == "" {
		return "", fmt.Errorf("%s is not set", name)
	}
	return text, nil
}

// loginAuth is the mechanism LOGIN, which never became a standard and is what
// some servers offer only.
type loginAuth struct{ username, password string }

// Start implements smtp.Auth.
func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

// Next implements smtp.Auth.
func (a *loginAuth) Next(fromServer []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch strings.ToLower(strings.TrimSpace(string(fromServer))) {
	case "username:", "user name":
		return []byte(a.username), nil
	case "password:", "password":
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks for something that LOGIN does not know")
}
