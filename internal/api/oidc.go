package api

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

const (
	// oidcCookie ties an answer of the identity provider to the browser that
	// has asked for it.
	oidcCookie = "hedgewatch_oidc"
	// loginErrorCookie is read by the login page, until the next attempt.
	loginErrorCookie = "hedgewatch_login_error"
	maxLoginError    = 500
	// oidcPatience is how long somebody may take at the provider.
	oidcPatience = 10 * time.Minute
	// maxOIDCLogins bounds the logins under way; beyond, the oldest ends.
	maxOIDCLogins = 1000
	// providerTimeout bounds what we ask the provider.
	providerTimeout = 10 * time.Second
)

// oidcLogins are the logins under way at the identity provider.
type oidcLogins struct {
	mu       sync.Mutex
	pending  map[string]oidcLogin
	provider *oidc.Provider // of issuer; asked for at the first login
	issuer   string
}

// oidcLogin is what must come back unchanged, and where to go then.
type oidcLogin struct {
	nonce, verifier, to string
	began               time.Time
}

func (s *Server) oidcRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/oidc/login", Public: true, BeforeReady: true,
			Summary: "Send the browser to the identity provider.",
			Query:   []Param{{Name: "to", Description: "Path to return to."}},
			Handler: http.HandlerFunc(s.oidcLogin),
		},
		{
			Method: http.MethodGet, Path: "/oidc/callback", Public: true, BeforeReady: true,
			Summary: "Where the identity provider sends the browser back to; starts the session.",
			Query:   []Param{{Name: "code", Description: "The provider's."}, {Name: "state", Description: "Ours."}},
			Handler: http.HandlerFunc(s.oidcCallback),
		},
	}
}

// add remembers a login and returns the name under which it comes back.
func (l *oidcLogins) add(login oidcLogin) (name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := ""
	for n, other := range l.pending {
		if time.Since(other.began) > oidcPatience {
			delete(l.pending, n)
		} else if oldest == "" || other.began.Before(l.pending[oldest].began) {
			oldest = n
		}
	}
	if len(l.pending) >= maxOIDCLogins {
		delete(l.pending, oldest)
	}
	name = rand.Text()
	l.pending[name] = login
	return name
}

// take returns a login, once.
func (l *oidcLogins) take(name string) (oidcLogin, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	login, ok := l.pending[name]
	delete(l.pending, name)
	return login, ok && time.Since(login.began) <= oidcPatience
}

// client returns the provider and what we are to it. The provider is asked for
// its addresses at the first login, not at the start: it may be down then.
func (s *Server) oidcClient(ctx context.Context) (*oidc.Provider, oauth2.Config, state.OIDC, error) {
	configured := s.gate.login.Load().OIDC
	if configured == nil {
		return nil, oauth2.Config{}, state.OIDC{}, &state.Error{Reason: state.NotFound, Text: "no identity provider is configured; see web.oidc in docs/configuration.md"}
	}
	c := configured.WithDefaults()
	provider, err := s.gate.oidc.discover(ctx, c.Issuer)
	if err != nil {
		return nil, oauth2.Config{}, c, &refusal{http.StatusBadGateway, fmt.Sprintf("ask the identity provider %s: %v", c.Issuer, err)}
	}
	return provider, oauth2.Config{
		ClientID: c.ClientID, ClientSecret: string(c.ClientSecret), Endpoint: provider.Endpoint(),
		RedirectURL: strings.TrimRight(s.cfg.ExternalURL.Scheme+"://"+s.cfg.ExternalURL.Host+s.cfg.RoutePrefix, "/") + ownPrefix + "/oidc/callback",
		Scopes:      append([]string{oidc.ScopeOpenID}, c.Scopes...),
	}, c, nil
}

func (l *oidcLogins) discover(ctx context.Context, issuer string) (*oidc.Provider, error) {
	l.mu.Lock()
	provider := l.provider
	if l.issuer != issuer {
		provider = nil
	}
	l.mu.Unlock()
	if provider != nil {
		return provider, nil
	}
	provider, err := oidc.NewProvider(ctx, issuer) // Without the lock: it may take long.
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.provider, l.issuer = provider, issuer
	return provider, nil
}

func (s *Server) oidcLogin(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.providerContext(r)
	defer cancel()
	_, client, _, err := s.oidcClient(ctx)
	switch {
	case err != nil && wantsPage(r):
		s.backToLogin(w, r, err)
		return
	case err != nil:
		writeError(w, err)
		return
	}
	login := oidcLogin{nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), to: localPath(r.URL.Query().Get("to")), began: time.Now()}
	name := s.gate.oidc.add(login)
	s.setOIDCCookie(w, r, name, int(oidcPatience/time.Second))
	http.Redirect(w, r, client.AuthCodeURL(name, oidc.Nonce(login.nonce), oauth2.S256ChallengeOption(login.verifier)), http.StatusFound)
}

// wantsPage is true for somebody who follows a link: an answer in JSON says nothing
// to them, and a question for a password is the wrong one.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func (s *Server) refuseOIDC(w http.ResponseWriter, r *http.Request, err error) {
	if !wantsPage(r) {
		s.gate.turnAway(w, r, err)
		return
	}
	s.metrics.refused.WithLabelValues("credentials").Inc()
	s.backToLogin(w, r, err)
}

// backToLogin shows the login page, which says why. The reason is a cookie and not a
// part of the address: nobody else can make the page say something.
func (s *Server) backToLogin(w http.ResponseWriter, r *http.Request, err error) {
	reason := err.Error()
	http.SetCookie(w, &http.Cookie{
		Name: loginErrorCookie, Value: url.PathEscape(reason[:min(len(reason), maxLoginError)]), Path: s.cfg.RoutePrefix + "/", MaxAge: 60,
		SameSite: http.SameSiteLaxMode, Secure: s.isSecure(r),
	})
	http.Redirect(w, r, s.cfg.RoutePrefix+"/", http.StatusSeeOther)
}

// setOIDCCookie uses Lax: the provider's page sends the browser back, and then
// a Strict cookie stays at home.
func (s *Server) setOIDCCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: oidcCookie, Value: value, Path: s.cfg.RoutePrefix + ownPrefix + "/oidc/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.isSecure(r),
	})
}

// providerContext bounds calls to the provider, with a client of their own.
func (s *Server) providerContext(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(r.Context(), providerTimeout)
	return oidc.ClientContext(ctx, &http.Client{Timeout: providerTimeout}), cancel
}

// localPath is where to go after a login: a path of ours, never another site.
func localPath(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

func (s *Server) oidcCallback(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.providerContext(r)
	defer cancel()
	name := r.URL.Query().Get("state")
	cookie, err := r.Cookie(oidcCookie)
	login, known := s.gate.oidc.take(name)
	if err != nil || !known || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(name)) != 1 {
		s.refuseOIDC(w, r, errors.New("this login was not begun in this browser, or took too long; log in again"))
		return
	}
	s.setOIDCCookie(w, r, "", -1)
	who, err := s.oidcUser(ctx, r, login)
	who.Client = ActorFrom(r.Context()).Client
	if err != nil {
		s.deps.Logger.Warn("Login by the identity provider refused", "client", who.Client, "err", err)
		s.refuseOIDC(w, r, err)
		return
	}
	if err := s.openSession(w, r, &who); err != nil {
		writeError(w, err)
		return
	}
	s.gate.noteChange(r, who, http.StatusOK, "")
	http.Redirect(w, r, s.cfg.RoutePrefix+login.to, http.StatusSeeOther)
}

// oidcUser exchanges the provider's code for a user of ours.
func (s *Server) oidcUser(ctx context.Context, r *http.Request, login oidcLogin) (Actor, error) {
	if reason := r.URL.Query().Get("error"); reason != "" {
		return Actor{}, fmt.Errorf("the identity provider refused: %q", reason)
	}
	provider, client, c, err := s.oidcClient(ctx)
	if err != nil {
		return Actor{}, err
	}
	answer, err := client.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(login.verifier))
	if err != nil {
		return Actor{}, fmt.Errorf("exchange the code of the identity provider: %w", err)
	}
	raw, _ := answer.Extra("id_token").(string)
	token, err := provider.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Actor{}, fmt.Errorf("verify the identity provider's token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(login.nonce)) != 1 {
		return Actor{}, errors.New("the identity provider's token is for another login")
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return Actor{}, fmt.Errorf("read the identity provider's token: %w", err)
	}
	user, _ := claims[c.UserClaim].(string)
	err = s.deps.State.LogInFromProvider(ctx, state.ProviderLogin{
		Name: user, Provider: token.Issuer + " " + token.Subject, Role: c.RoleOf(textList(claims[c.GroupsClaim])),
	})
	if err != nil {
		return Actor{Name: user}, err
	}
	u, _ := s.deps.State.User(user)
	return actorOf(u), nil
}

// textList reads a claim that is a text or a list of texts.
func textList(claim any) (texts []string) {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		for _, item := range c {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}
