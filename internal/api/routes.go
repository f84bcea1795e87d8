package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// ownPrefix is where our own JSON API lives.
const ownPrefix = "/api/hw/v1"

// Route is one endpoint of our own API, with what its description says of it.
// Parts hand their routes in by [Deps]; the handler is called when the caller
// is known and, unless BeforeReady, when the store answers.
type Route struct {
	Method  string
	Path    string // Below /api/hw/v1, with {name} for parameters: "/services/{name}".
	Summary string // One sentence for /api/hw/v1/openapi.json.
	Query   []Param
	// Request and Response are zero values of the JSON bodies' types; nil: none.
	Request, Response any
	BeforeReady       bool
	// Role is what a caller needs; zero: viewers may GET, editors the rest.
	Role state.Role
	// Public needs no login at all.
	Public bool
	// Endless is an answer that lasts. It ends with the server, and when the
	// caller may no longer ask for it: after a logout, say.
	Endless bool
	Handler http.Handler
}

// Param is one query parameter.
type Param struct {
	Name        string
	Description string
	Required    bool
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (r Route) validate() error {
	switch {
	case r.Method == "" || r.Handler == nil || r.Summary == "":
		return fmt.Errorf("route %q %q: method, summary and handler are needed", r.Method, r.Path)
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("route %q %q: the path must start with a slash", r.Method, r.Path)
	}
	return nil
}

// Status is the answer of GET /api/hw/v1/status.
type Status struct {
	Version    string    `json:"version"`
	Revision   string    `json:"revision,omitempty"`
	Prometheus string    `json:"prometheus"`
	StartTime  time.Time `json:"startTime"`
	Ready      bool      `json:"ready"`
	WaitingFor string    `json:"waitingFor,omitempty"`
}

// ownRoutes are the endpoints that this package answers itself.
func (s *Server) ownRoutes() []Route {
	status := Route{
		Method:      http.MethodGet,
		Path:        "/status",
		Summary:     "What runs here, since when, and what it still waits for.",
		Response:    Status{},
		BeforeReady: true,
		Handler:     http.HandlerFunc(s.status),
	}
	return slices.Concat([]Route{status}, s.sessionRoutes(), s.oidcRoutes(), s.userRoutes(), s.dashboardRoutes(), s.ruleRoutes(), s.alertHistoryRoutes())
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	status := Status{
		Version:    s.deps.Version.Version,
		Revision:   s.deps.Version.Revision,
		Prometheus: prometheusVersion,
		StartTime:  s.start,
		Ready:      true,
	}
	if err := s.waitingFor(); err != nil {
		status.Ready, status.WaitingFor = false, err.Error()
	}
	writeJSON(w, http.StatusOK, status)
}

// mountOwn adds our own routes and their description to the mux.
func (s *Server) mountOwn(mux *http.ServeMux) error {
	routes := append(s.ownRoutes(), s.deps.Routes...)
	seen := map[string]bool{}
	for _, route := range routes {
		pattern := route.Method + " " + ownPrefix + route.Path
		// Parameter names do not tell two routes apart.
		if key := pathParam.ReplaceAllString(pattern, "{}"); seen[key] {
			return fmt.Errorf("route %s is handed in twice", pattern)
		} else {
			seen[key] = true
		}
		next := route.Handler.ServeHTTP
		if !route.BeforeReady {
			next = s.whenReady(next)
		}
		permission := permissionOf(route)
		handler := http.Handler(s.metrics.instrument(ownPrefix+route.Path, next))
		if route.Endless {
			// Its length is nobody's latency.
			handler = s.endsWithServer(s.gate.whilePermitted(permission, http.HandlerFunc(next)))
		}
		mux.Handle(pattern, s.gate.permit(permission, boundForm(handler)))
	}

	description, err := json.Marshal(openAPI(s.deps.Version.Version, routes))
	if err != nil {
		return fmt.Errorf("describe %s: %w", ownPrefix, err)
	}
	describe := s.metrics.instrument(ownPrefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(description) // The client has gone; nobody to tell.
	})
	mux.Handle("GET "+ownPrefix+"/openapi.json", s.gate.permit(byMethod(), describe))
	return nil
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // The client has gone; nobody to tell.
}

// notFoundJSON answers below /api/ instead of the web UI's page.
func notFoundJSON(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusNotFound, map[string]string{
		"status":    "error",
		"errorType": "not_found",
		"error":     errors.New("no such endpoint: " + r.URL.Path).Error(),
	})
}
