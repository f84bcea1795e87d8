package api

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// gate decides who gets in: everyone on a loopback address without users, a
// known user or token everywhere else. docs/security.md has the rules.
type gate struct {
	server  *Server
	exposed bool
	logins  *logins
	browser *browserGuard
	current atomic.Pointer[access]

	mu      sync.Mutex
	watched map[string]string // file → what it looked like when it was loaded
}

// firstStartPath is the file that the first start writes.
func (g *gate) firstStartPath() string {
	return filepath.Join(g.server.cfg.StoragePath, "web-auth.yml")
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

// load reads the web config file, and, where it names no user for a listener
// that needs one, the file of the first start.
func (g *gate) load() (*access, []string, error) {
	a, files := &access{http2: true}, []string(nil)
	if path := g.server.cfg.WebConfigFile; path != "" {
		var err error
		if a, files, err = loadAccess(path); err != nil {
			return nil, files, err
		}
	}
	if !g.mustLogin(a) || g.server.cfg.StoragePath == "" {
		return a, files, nil
	}
	first, more, err := loadAccess(g.firstStartPath())
	files = append(files, more...)
	if errors.Is(err, os.ErrNotExist) {
		return a, files, nil
	}
	if err != nil {
		return nil, files, fmt.Errorf("%w; repair the file, or delete it to get a new password", err)
	}
	a.users, a.decoy = first.users, first.decoy
	return a, files, nil
}

// mustLogin tells that nobody is known on a listener that anyone can reach.
func (g *gate) mustLogin(a *access) bool {
	return g.exposed && !a.hasLogin() && !a.clientCerts
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
			if err := g.admit(a, r); err != nil {
				g.turnAway(w, a, err)
				return
			}
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

func (g *gate) admit(a *access, r *http.Request) error {
	if a.limiter != nil && !a.limiter.Allow() {
		return errRateLimited
	}
	switch {
	case g.mustLogin(a):
		return errLocked
	case a.hasLogin():
		if err := g.logins.check(a, r); err != nil {
			return err
		}
	case !g.exposed:
		if err := g.browser.checkHost(r); err != nil {
			return err
		}
	}
	return g.browser.checkOrigin(r)
}

// turnAway answers a refused request and counts it.
func (g *gate) turnAway(w http.ResponseWriter, a *access, err error) {
	status, reason := http.StatusUnauthorized, "credentials"
	switch {
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
		if len(a.users) > 0 {
			w.Header().Add("WWW-Authenticate", `Basic realm="hedgewatch", charset="UTF-8"`)
		}
		if len(a.tokens) > 0 {
			w.Header().Add("WWW-Authenticate", `Bearer realm="hedgewatch"`)
		}
	}
	g.server.metrics.refused.WithLabelValues(reason).Inc()
	http.Error(w, err.Error(), status)
}
