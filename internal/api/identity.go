package api

import (
	"context"
	"net"
	"net/http"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// Kind is how we know who sends a request.
type Kind string

// The kinds. Nobody in particular is the zero value.
const (
	KindOpen        Kind = "open"        // No login is asked for.
	KindAnonymous   Kind = "anonymous"   // Viewing without login is configured.
	KindUser        Kind = "user"        // A password or a session.
	KindToken       Kind = "token"       // A bearer token.
	KindCertificate Kind = "certificate" // A client certificate.
)

// Actor is who sends a request, and what they may do.
type Actor struct {
	Name string
	Role state.Role
	Kind Kind
	// Client is the address of the connection's other end.
	Client string

	// refused is why the credentials count for nothing. Who is nobody then may
	// still use what needs no login: a heartbeat brings a token of its own.
	refused error
	// file tells that the user stands in the web config file.
	file bool
	// mustChange tells that only the own password can be changed.
	mustChange bool
	session    *state.Session
}

// Who names the actor in the log of changes and in versions.
func (a Actor) Who() string {
	switch {
	case a.Kind == KindToken:
		return "token " + a.Name
	case a.Name != "":
		return a.Name
	}
	return string(a.Kind)
}

type actorKey struct{}

// ActorFrom returns who sent the request that ctx belongs to.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(*Actor)
	if a == nil {
		return Actor{}
	}
	return *a
}

func withActor(r *http.Request, a Actor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), actorKey{}, &a))
}

// identify finds out who sends a request. That it is nobody known is no error
// yet: some endpoints are for everybody.
func (g *gate) identify(a *access, r *http.Request) Actor {
	who, err := g.credentials(a, r)
	if err != nil {
		who = Actor{refused: err}
	}
	who.Client, _, _ = net.SplitHostPort(r.RemoteAddr) // Else it is no TCP connection.
	return who
}

func (g *gate) credentials(a *access, r *http.Request) (Actor, error) {
	switch {
	case !g.asksLogin(a) && a.clientCerts:
		return certificateOwner(r), nil
	case !g.asksLogin(a):
		return Actor{Kind: KindOpen, Role: state.Admin}, nil
	case r.Header.Get("Authorization") != "":
		return g.fromHeader(a, r)
	}
	if who, ok := g.fromCookie(a, r); ok {
		return who, nil
	}
	if g.login.Load().AnonymousViewer {
		return Actor{Kind: KindAnonymous, Role: state.Viewer}, nil
	}
	return Actor{}, nil
}

// certificateOwner is whom TLS let in: a certificate counts as an administrator.
func certificateOwner(r *http.Request) Actor {
	who := Actor{Kind: KindCertificate, Role: state.Admin}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		who.Name = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	return who
}

func (g *gate) fromHeader(a *access, r *http.Request) (Actor, error) {
	c, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return Actor{}, err
	}
	if c.token != "" {
		return g.fromToken(a, c.token)
	}
	return g.fromPassword(r, a, c.user, c.password)
}

func (g *gate) fromToken(a *access, secret string) (Actor, error) {
	if name, ok := findToken(a.tokens, secret); ok {
		return Actor{Name: name, Kind: KindToken, Role: state.Admin}, nil
	}
	if t, ok := g.server.deps.State.Token(secret); ok {
		return Actor{Name: t.Name, Kind: KindToken, Role: t.Role}, nil
	}
	return Actor{}, errWrong
}

// fromPassword checks a password. The web config file wins over a user of the
// same name here.
func (g *gate) fromPassword(r *http.Request, a *access, name, password string) (Actor, error) {
	who, hash, ok := g.lookUp(a, name)
	return who, g.logins.check(r, login{user: name, password: password, hash: hash, known: ok})
}

// lookUp returns a user with the hash of the password. A disabled one, and one
// who logs in elsewhere, are unknown.
func (g *gate) lookUp(a *access, name string) (who Actor, hash []byte, ok bool) {
	if hash, ok := a.users[name]; ok {
		return Actor{Name: name, Kind: KindUser, Role: state.Admin, file: true}, hash, true
	}
	u, ok := g.server.deps.State.User(name)
	if !ok || u.Disabled || len(u.Hash()) == 0 {
		return Actor{}, nil, false
	}
	return actorOf(u), u.Hash(), true
}

func actorOf(u state.User) Actor {
	return Actor{Name: u.Name, Kind: KindUser, Role: u.Role, mustChange: u.MustChange}
}

// fromCookie returns the user of a session, as the user is now.
func (g *gate) fromCookie(a *access, r *http.Request) (Actor, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return Actor{}, false
	}
	session, ok := g.server.deps.State.Session(cookie.Value)
	if !ok {
		return Actor{}, false
	}
	who := Actor{Name: session.User, Kind: KindUser, Role: state.Admin, file: true}
	if session.File {
		_, ok = a.users[session.User]
	} else {
		var u state.User
		u, ok = g.server.deps.State.User(session.User)
		ok = ok && !u.Disabled
		who = actorOf(u)
	}
	who.session = &session
	return who, ok
}
