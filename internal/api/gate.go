package api

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// gate finds out who sends a request: everyone is an administrator on a
// loopback address without users, a known user or token everywhere else. What
// they may do is decided by permit. docs/security.md has the rules.
type gate struct {
	server  *Server
	exposed bool
	logins  *logins
	browser *browserGuard
	current atomic.Pointer[access]
	login   atomic.Pointer[state.LoginConfig]
	oidc    *oidcLogins

	mu      sync.Mutex
	watched map[string]string // file → what it looked like when it was loaded
}

// prepare loads the web config file and returns what makes it current. On an
// error the running state stays.
func (g *gate) prepare() (commit func(), err error) {
	next, files, err := g.load()
	if err == nil {
		err = g.checkChange(next)
	}
	if err != nil {
		g.remember(files) // So that the next look at them does not say it again.
		g.server.metrics.webConfigGood.Set(0)
		return nil, err
	}
	return func() {
		g.remember(files)
		g.current.Store(next)
		g.server.metrics.webConfigGood.Set(1)
	}, nil
}

// load reads the web config file.
func (g *gate) load() (*access, []string, error) {
	if path := g.server.cfg.WebConfigFile; path != "" {
		return loadAccess(path)
	}
	return &access{http2: true}, nil, nil
}

// knowsUsers tells that somebody can log in.
func (g *gate) knowsUsers(a *access) bool {
	return a.hasLogin() || g.server.deps.State.HasUsers() || g.login.Load().OIDC != nil
}

// asksLogin tells that credentials decide who may do what.
func (g *gate) asksLogin(a *access) bool { return g.knowsUsers(a) || g.mustLogin(a) }

// mustLogin tells that nobody is known although somebody must be: anyone can
// reach the listener, or the database with the users was lost.
func (g *gate) mustLogin(a *access) bool {
	return (g.exposed || g.server.deps.State.SetAside() != "") && !a.clientCerts && !g.knowsUsers(a)
}

// checkChange refuses what a running listener cannot do.
func (g *gate) checkChange(next *access) error {
	running := g.current.Load()
	if running == nil {
		return nil
	}
	if (running.tls == nil) != (next.tls == nil) || running.http2 != next.http2 {
		return errors.New("web config: TLS and HTTP/2 cannot be switched on or off while running; restart")
	}
	if g.mustLogin(next) && !g.mustLogin(running) {
		return errors.New("web config: no users or tokens are left for an address that others can reach; add basic_auth_users or bearer_tokens")
	}
	return nil
}

// remember keeps what the files look like, so that changed can tell.
func (g *gate) remember(files []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watched = map[string]string{}
	for _, file := range files {
		g.watched[file] = fingerprint(file)
	}
}

// changed tells whether a file of the last load, good or bad, is another now.
func (g *gate) changed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for file, was := range g.watched {
		if fingerprint(file) != was {
			return true
		}
	}
	return false
}

// refresh loads changed files, such as a renewed certificate.
func (g *gate) refresh() {
	if !g.changed() {
		return
	}
	commit, err := g.prepare()
	if err != nil {
		g.server.deps.Logger.Error("Web config not reloaded, the running one stays", "err", err)
		return
	}
	commit()
	g.server.deps.Logger.Info("Web config reloaded")
}

func fingerprint(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return "missing"
	}
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size())
}

// wrap puts the gate before next.
func (g *gate) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := g.current.Load()
		secure(w.Header(), a.headers)
		if !isHealth(r) {
			who, err := g.admit(a, r)
			if err != nil {
				g.turnAway(w, r, err)
				return
			}
			r = withActor(r, who)
		}
		next.ServeHTTP(w, r)
	})
}

// isHealth tells whether a request only asks if we are up. Orchestrators ask
// without credentials, by IP address, and often.
func isHealth(r *http.Request) bool {
	switch strings.TrimPrefix(r.URL.Path, "/alertmanager") {
	case "/-/healthy", "/-/ready":
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	return false
}

var (
	errRateLimited = errors.New("rate limit of the web config reached")
	errLocked      = errors.New("closed: no users are configured for an address that others can reach")
)

func (g *gate) admit(a *access, r *http.Request) (Actor, error) {
	if a.limiter != nil && !a.limiter.Allow() {
		return Actor{}, errRateLimited
	}
	if g.mustLogin(a) {
		return Actor{}, errLocked
	}
	who := g.identify(a, r)
	if !g.exposed && (who.Kind == KindOpen || who.Kind == KindAnonymous) {
		if err := g.browser.checkHost(r); err != nil {
			return Actor{}, err
		}
	}
	return who, g.browser.checkOrigin(r)
}

// turnAway answers a refused request and counts it.
func (g *gate) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	status, reason := http.StatusUnauthorized, "credentials"
	switch {
	case errors.Is(err, errMustChange), errors.Is(err, errRole):
		status, reason = http.StatusForbidden, "role"
	case errors.Is(err, errTooManyLogins), errors.Is(err, errRateLimited):
		status, reason = http.StatusTooManyRequests, "rate"
		w.Header().Set("Retry-After", fmt.Sprint(int(loginInterval/time.Second)))
	case errors.Is(err, errBusyWithLogins):
		status, reason = http.StatusServiceUnavailable, "busy"
		w.Header().Set("Retry-After", "1")
	case errors.Is(err, errLocked):
		status, reason = http.StatusForbidden, "locked"
	case errors.Is(err, errUnknownHost):
		status, reason = http.StatusMisdirectedRequest, "host"
	case errors.Is(err, errForeignOrigin):
		status, reason = http.StatusForbidden, "origin"
	}
	if status == http.StatusUnauthorized {
		if !fromPage(r) {
			w.Header().Add("WWW-Authenticate", `Basic realm="hedgewatch", charset="UTF-8"`)
		}
		w.Header().Add("WWW-Authenticate", `Bearer realm="hedgewatch"`)
	}
	g.server.metrics.refused.WithLabelValues(reason).Inc()
	if strings.HasPrefix(r.URL.Path, ownPrefix) {
		kind := "unauthorized"
		if errors.Is(err, errMustChange) {
			kind = "password_change_required"
		} else if status != http.StatusUnauthorized {
			kind = "forbidden"
		}
		writeJSON(w, status, problem{Status: "error", ErrorType: kind, Error: err.Error()})
		return
	}
	http.Error(w, err.Error(), status)
}

// fromPage tells that a script of a page asks, and not a person or a program: a
// challenge would make the browser ask for the password over the page's own
// login.
func fromPage(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Header.Get("X-Requested-With") != "" || mode != "" && mode != "navigate"
}
