package state

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// LoginConfig is what the configuration file says about who gets in and how; a
// reload may change it.
type LoginConfig struct {
	// AnonymousViewer lets everybody view without a login.
	AnonymousViewer bool `yaml:"anonymous_viewer"`
	// OIDC is the identity provider; nil: none.
	OIDC *OIDC `yaml:"oidc,omitempty"`
}

// OIDC is an OpenID Connect identity provider, and what its users may do here.
type OIDC struct {
	// Name is what the login page calls it; "single sign-on".
	Name     string `yaml:"name"`
	Issuer   string `yaml:"issuer"`
	ClientID string `yaml:"client_id"`
	// ClientSecret is usually a reference, ${file:…} or ${env:…}.
	ClientSecret Secret `yaml:"client_secret"`
	// Scopes are asked for beside openid; profile and email.
	Scopes []string `yaml:"scopes,omitempty"`
	// UserClaim names the user here; preferred_username.
	UserClaim string `yaml:"user_claim"`
	// GroupsClaim lists what Roles decides by; groups.
	GroupsClaim string `yaml:"groups_claim"`
	// Admins, Editors and Viewers are groups. Who is in none of them gets
	// DefaultRole, or is refused if there is none.
	Admins      []string `yaml:"admins,omitempty"`
	Editors     []string `yaml:"editors,omitempty"`
	Viewers     []string `yaml:"viewers,omitempty"`
	DefaultRole string   `yaml:"default_role,omitempty"`
}

// Secret is text that is not shown.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return "<secret>" }

// MarshalYAML implements yaml.Marshaler.
func (s Secret) MarshalYAML() (any, error) {
	if s == "" {
		return nil, nil
	}
	return s.String(), nil
}

// WithDefaults fills in what is not set.
func (o OIDC) WithDefaults() OIDC {
	for field, usual := range map[*string]string{
		&o.Name: "single sign-on", &o.UserClaim: "preferred_username", &o.GroupsClaim: "groups",
	} {
		if *field == "" {
			*field = usual
		}
	}
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email"}
	}
	return o
}

// RoleOf is the highest role that a member of groups has.
func (o OIDC) RoleOf(groups []string) (role Role) {
	in := func(of []string) bool {
		return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(of, g) })
	}
	switch {
	case in(o.Admins):
		return Admin
	case in(o.Editors):
		return Editor
	case in(o.Viewers):
		return Viewer
	case o.DefaultRole != "":
		_ = role.UnmarshalText([]byte(o.DefaultRole)) // Validate has read it.
	}
	return role
}

// Validate reports what is wrong with the section.
func (c LoginConfig) Validate() error {
	if c.OIDC == nil {
		return nil
	}
	o := c.OIDC
	var errs []error
	issuer, err := url.Parse(o.Issuer)
	switch {
	case err != nil || issuer.Host == "":
		errs = append(errs, fmt.Errorf("web.oidc.issuer: %q is no URL; use the provider's, such as https://login.example.com", o.Issuer))
	case issuer.Scheme != "https" && !isLoopback(issuer.Hostname()):
		errs = append(errs, fmt.Errorf("web.oidc.issuer: %q is not https; whoever sits on the network could log in as anybody", o.Issuer))
	}
	if o.ClientID == "" {
		errs = append(errs, errors.New("web.oidc.client_id: missing; the provider gives one to each application"))
	}
	if o.DefaultRole != "" && new(Role).UnmarshalText([]byte(o.DefaultRole)) != nil {
		errs = append(errs, fmt.Errorf("web.oidc.default_role: %q is no role; use viewer, editor or admin", o.DefaultRole))
	}
	if len(o.Admins)+len(o.Editors)+len(o.Viewers) == 0 && o.DefaultRole == "" {
		errs = append(errs, errors.New("web.oidc: nobody would have a role; set admins, editors, viewers or default_role"))
	}
	return errors.Join(errs...)
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}
