package api

import (
	"net/http"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// sessionCookie holds the secret of a session.
const sessionCookie = "hedgewatch_session"

// Session is the answer of /api/hw/v1/session: who asks, and how to log in.
type Session struct {
	User string `json:"user,omitempty"`
	// Role is empty for somebody who must log in.
	Role state.Role `json:"role"`
	Kind Kind       `json:"kind"`
	// MustChangePassword tells that nothing else works before.
	MustChangePassword bool      `json:"mustChangePassword"`
	Expires            time.Time `json:"expires,omitzero"`
	Login              LoginWays `json:"login"`
}

// LoginWays are the ways to become somebody.
type LoginWays struct {
	// Required tells that nobody may change anything without a login.
	Required bool `json:"required"`
	Password bool `json:"password"`
	// OIDC is the name of the identity provider, if there is one; a browser
	// starts there with GET /api/hw/v1/oidc/login.
	OIDC            string `json:"oidc,omitempty"`
	AnonymousViewer bool   `json:"anonymousViewer"`
}

// Login is the body of POST /api/hw/v1/session.
type Login struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// PasswordChange is the body of PUT /api/hw/v1/session/password.
type PasswordChange struct {
	Old string `json:"old"`
	New string `json:"new"`
}

func (s *Server) sessionRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/session", Public: true, BeforeReady: true,
			Summary:  "Who asks, what they may do, and how to log in.",
			Response: Session{},
			Handler:  answers(func(r *http.Request) (any, error) { return s.describeSession(ActorFrom(r.Context())), nil }),
		},
		{
			Method: http.MethodPost, Path: "/session", Public: true, BeforeReady: true,
			Summary: "Log in with a password; the answer sets the session's cookie.",
			Request: Login{}, Response: Session{},
			Handler: http.HandlerFunc(s.logIn),
		},
		{
			Method: http.MethodDelete, Path: "/session", Public: true, BeforeReady: true,
			Summary: "Log out.",
			Handler: http.HandlerFunc(s.logOut),
		},
		{
			Method: http.MethodPut, Path: "/session/password", Public: true, BeforeReady: true,
			Summary: "Change the own password; ends all sessions of the user but this one.",
			Request: PasswordChange{}, Response: Session{},
			Handler: http.HandlerFunc(s.changePassword),
		},
	}
}

func (s *Server) describeSession(who Actor) Session {
	a, login := s.gate.current.Load(), s.gate.login.Load()
	session := Session{
		User: who.Name, Role: who.Role, Kind: who.Kind, MustChangePassword: who.mustChange,
		Login: LoginWays{
			Required:        s.gate.asksLogin(a) && !login.AnonymousViewer,
			Password:        len(a.users) > 0 || s.deps.State.HasUsers(),
			AnonymousViewer: login.AnonymousViewer,
		},
	}
	if login.OIDC != nil {
		session.Login.OIDC = login.OIDC.WithDefaults().Name
	}
	if who.session != nil {
		session.Expires = who.session.Expires()
	}
	return session
}

func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	var login Login
	if err := readJSON(r, &login); err != nil {
		writeError(w, err)
		return
	}
	who, err := s.gate.fromPassword(r, s.gate.current.Load(), login.User, login.Password)
	who.Client = ActorFrom(r.Context()).Client
	if err != nil {
		who.Name = login.User
		s.gate.noteChange(r, who, http.StatusUnauthorized, err.Error())
		s.gate.turnAway(w, r, err)
		return
	}
	s.startSession(w, r, who)
}

// startSession sets the cookie and answers with the session. The one that the
// request came with ends, so that nobody can hand a victim a known cookie.
func (s *Server) startSession(w http.ResponseWriter, r *http.Request, who Actor) {
	if err := s.openSession(w, r, &who); err != nil {
		writeError(w, err)
		return
	}
	s.gate.noteChange(r, who, http.StatusOK, "")
	writeJSON(w, http.StatusOK, s.describeSession(who))
}

func (s *Server) openSession(w http.ResponseWriter, r *http.Request, who *Actor) error {
	if old, err := r.Cookie(sessionCookie); err == nil {
		if err := s.deps.State.EndSession(r.Context(), old.Value); err != nil {
			return err
		}
	}
	session := state.Session{User: who.Name, File: who.file, Client: who.Client}
	secret, err := s.deps.State.StartSession(r.Context(), session)
	if err != nil {
		return err
	}
	session, _ = s.deps.State.Session(secret)
	who.session = &session
	s.setCookie(w, r, secret, session.Expires())
	return nil
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, secret string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: secret, Path: s.cfg.RoutePrefix + "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.isSecure(r),
	})
}

// isSecure tells whether browsers reach us by HTTPS, perhaps through a proxy.
func (s *Server) isSecure(r *http.Request) bool {
	return r.TLS != nil || s.cfg.ExternalURL.Scheme == "https"
}

func (s *Server) logOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if err := s.deps.State.EndSession(r.Context(), cookie.Value); err != nil {
			writeError(w, err)
			return
		}
		if who := ActorFrom(r.Context()); who.session != nil {
			s.gate.noteChange(r, who, http.StatusNoContent, "")
		}
		s.setCookie(w, r, "", time.Unix(1, 0))
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) {
	who := ActorFrom(r.Context())
	if who.Kind != KindUser {
		s.gate.turnAway(w, r, errNoCredentials)
		return
	}
	if who.file {
		writeError(w, badRequest("this user stands in the web config file; change the password there"))
		return
	}
	var change PasswordChange
	if err := readJSON(r, &change); err != nil {
		writeError(w, err)
		return
	}
	again, err := s.gate.fromPassword(r, s.gate.current.Load(), who.Name, change.Old)
	if err != nil {
		s.gate.turnAway(w, r, err)
		return
	}
	if err := s.deps.State.SetPassword(r.Context(), who.Name, change.New); err != nil {
		writeError(w, err)
		return
	}
	again.Client, again.mustChange = who.Client, false
	s.startSession(w, r, again)
}
