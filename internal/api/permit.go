package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

var (
	errMustChange = errors.New("your password was given by somebody else: choose your own first (PUT /api/hw/v1/session/password)")
	errRole       = errors.New("not allowed")
)

// permission says who may use an endpoint.
type permission struct {
	role func(r *http.Request) state.Role
	// quiet keeps it out of the log of changes: pushes, and queries by POST.
	quiet bool
}

// everybody needs no login.
func everybody() permission { return always(state.NoRole) }

func always(role state.Role) permission {
	return permission{role: func(*http.Request) state.Role { return role }}
}

// byMethod lets viewers read and editors change.
func byMethod() permission { return permission{role: methodRole} }

func methodRole(r *http.Request) state.Role {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return state.Viewer
	}
	return state.Editor
}

func (p permission) quietly() permission {
	p.quiet = true
	return p
}

// permissionOf is that of a route of ours.
func permissionOf(route Route) permission {
	switch {
	case route.Public:
		return everybody()
	case route.Role != state.NoRole:
		return always(route.Role)
	}
	return byMethod()
}

// prometheusPermission knows the Prometheus API, where queries may be POSTed.
func prometheusPermission() permission {
	return permission{role: func(r *http.Request) state.Role {
		if strings.HasPrefix(r.URL.Path, "/api/v1/admin/") {
			return state.Admin
		}
		if r.Method == http.MethodPost {
			return state.Viewer // Queries too long for a URL; pushes have routes of their own.
		}
		return methodRole(r)
	}}
}

// permit lets those through to next who may, and notes what they change.
func (g *gate) permit(p permission, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		need := p.role(r)
		if err := permits(ActorFrom(r.Context()), need); err != nil {
			g.turnAway(w, r, err)
			return
		}
		if need < state.Editor || p.quiet || methodRole(r) < state.Editor {
			next.ServeHTTP(w, r)
			return
		}
		g.logChange(w, r, next)
	})
}

// recheckInterval is how often an endless answer asks whether its reader may still
// have it.
const recheckInterval = 5 * time.Second

// whilePermitted ends an endless answer when whoever asked for it may not any
// more: the session is over, the user disabled, the token revoked.
func (g *gate) whilePermitted(p permission, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		ended := make(chan struct{})
		defer func() { <-ended }()
		defer cancel() // Before the wait.
		go func() {
			defer close(ended)
			ticker := time.NewTicker(recheckInterval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				if permits(g.again(r), p.role(r)) != nil {
					cancel()
					return
				}
			}
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// again is who sent r, as they are now. A password is not checked again, which is
// expensive: its user is looked up.
func (g *gate) again(r *http.Request) Actor {
	a := g.current.Load()
	was := ActorFrom(r.Context())
	if was.Kind != KindUser || was.session != nil {
		return g.identify(a, r)
	}
	who, _, ok := g.lookUp(a, was.Name)
	if !ok {
		return Actor{refused: errWrong}
	}
	return who
}

func permits(who Actor, need state.Role) error {
	switch {
	case need == state.NoRole:
		return nil
	case who.refused != nil:
		return who.refused
	case who.Role == state.NoRole:
		return errNoCredentials
	case who.mustChange:
		return errMustChange
	case who.Role < need && who.Kind == KindAnonymous:
		return errNoCredentials // A login may help.
	case who.Role < need:
		return fmt.Errorf("%w: this needs the role %s, and %s has the role %s", errRole, need, who.Who(), who.Role)
	}
	return nil
}

// logChange answers the request and writes who sent it to the log of changes.
func (g *gate) logChange(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(answer, r)
	g.noteChange(r, ActorFrom(r.Context()), answer.status, "")
	if changed := g.server.deps.Changed; changed != nil && answer.status < http.StatusBadRequest {
		changed(r.URL.Path)
	}
}

func (g *gate) noteChange(r *http.Request, who Actor, status int, detail string) {
	action := r.Pattern
	if !strings.Contains(action, " ") {
		action = r.Method + " " + action
	}
	g.server.deps.State.LogChange(state.Change{
		Time: time.Now(), Who: who.Who(), Client: who.Client, Action: action, Object: r.URL.Path, Status: status, Detail: detail,
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
