package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// callers returns an Authorization header for each role, and none.
func callers(t *testing.T, s *system) map[state.Role]string {
	t.Helper()
	_, err := s.deps.State.CreateUser(t.Context(), state.NewUser{Name: "root", Role: state.Admin, Password: "a long password"})
	must(t, err)
	headers := map[state.Role]string{state.NoRole: ""}
	for role := state.Viewer; role <= state.Admin; role++ {
		_, secret, err := s.deps.State.CreateToken(t.Context(), state.Token{Name: role.String(), Role: role})
		must(t, err)
		headers[role] = "Bearer " + secret
	}
	return headers
}

// endpoints that are not under /api/hw/v1, and the role that each needs.
var foreignEndpoints = []struct {
	method, path string
	need         state.Role
}{
	{"GET", "/", state.NoRole},
	{"GET", "/alerts", state.NoRole},
	{"GET", "/-/healthy", state.NoRole},
	{"GET", "/-/ready", state.NoRole},
	{"GET", "/alertmanager/-/ready", state.NoRole},
	{"GET", "/metrics", state.Viewer},
	{"GET", "/federate?match[]=up", state.Viewer},
	{"GET", "/api/v1/query?query=up", state.Viewer},
	{"POST", "/api/v1/query?query=up", state.Viewer},
	{"POST", "/api/v1/query_range", state.Viewer},
	{"GET", "/api/v1/rules", state.Viewer},
	{"GET", "/api/v1/status/config", state.Viewer},
	{"GET", "/api/v1/openapi.yaml", state.Viewer},
	{"POST", "/api/v1/read", state.Viewer},
	{"POST", "/api/v1/write", state.Editor},
	{"POST", "/api/v1/otlp/v1/metrics", state.Editor},
	{"PUT", "/api/v1/series", state.Editor},
	{"DELETE", "/api/v1/series", state.Editor},
	{"POST", "/api/v1/admin/tsdb/clean_tombstones", state.Admin},
	{"PUT", "/api/v1/admin/tsdb/clean_tombstones", state.Admin},
	{"GET", "/api/v2/silences", state.Viewer},
	{"POST", "/api/v2/silences", state.Editor},
	{"DELETE", "/api/v2/silence/1", state.Editor},
	{"POST", "/api/v2/alerts", state.Editor},
	{"GET", "/alertmanager/api/v2/silences", state.Viewer},
	{"POST", "/alertmanager/api/v2/silences", state.Editor},
	{"POST", "/alertmanager/api/v2/alerts", state.Editor},
	{"POST", "/-/reload", state.Admin},
	{"POST", "/-/quit", state.Admin},
	{"GET", "/debug/pprof/", state.Admin},
	{"GET", "/debug/pprof/cmdline", state.Admin},
	{"GET", "/api/hw/v1/openapi.json", state.Viewer},
}

// ownRoles are the routes below /api/hw/v1 that need another role than viewer
// for GET and editor for the rest.
var ownRoles = map[string]state.Role{
	"GET /session": state.NoRole, "POST /session": state.NoRole, "DELETE /session": state.NoRole, "PUT /session/password": state.NoRole,
	"GET /oidc/login": state.NoRole, "GET /oidc/callback": state.NoRole,
	"GET /users": state.Admin, "POST /users": state.Admin, "PATCH /users/{name}": state.Admin, "DELETE /users/{name}": state.Admin,
	"GET /tokens": state.Admin, "POST /tokens": state.Admin, "DELETE /tokens/{name}": state.Admin,
	"GET /changes": state.Admin, "GET /state/backup": state.Admin,
	"POST /backtest": state.Viewer,
}

// TestEveryRouteAsksForItsRole: for all routes that there are, whoever has the
// role gets through, and nobody with a lower one does.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	s := newSystem(t)
	headers := callers(t, s)
	h := s.handler(t)
	type endpoint struct {
		method, path string
		need         state.Role
	}
	var endpoints []endpoint
	for _, e := range foreignEndpoints {
		endpoints = append(endpoints, endpoint(e))
	}
	var description struct {
		Paths map[string]map[string]any
	}
	must(t, json.Unmarshal(ask(h, "GET", "/api/hw/v1/openapi.json", "Authorization", headers[state.Viewer]).Body.Bytes(), &description))
	if len(description.Paths) < 15 {
		t.Fatalf("got %d paths of our own, want all of them", len(description.Paths))
	}
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, operations := range description.Paths {
		for method := range operations {
			method = strings.ToUpper(method)
			need, ok := ownRoles[method+" "+strings.TrimPrefix(path, "/api/hw/v1")]
			if !ok {
				need = state.Viewer
				if method != "GET" {
					need = state.Editor
				}
			}
			endpoints = append(endpoints, endpoint{method, parameter.ReplaceAllString(path, "1"), need})
		}
	}
	for _, e := range endpoints {
		t.Run(e.method+" "+e.path, func(t *testing.T) {
			for role, header := range headers {
				w := ask(h, e.method, e.path, "Authorization", header)
				want := role >= e.need
				got := w.Code != http.StatusUnauthorized && !(w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "not allowed"))
				switch e.path { // They ask for more than a role.
				case "/api/hw/v1/session/password", "/api/hw/v1/oidc/callback":
					want = false
				}
				if got != want {
					t.Errorf("role %q: got %d %.200s, want let through: %v", role, w.Code, w.Body, want)
				}
			}
		})
	}
}

func TestRefusalSaysWhichRoleIsNeeded(t *testing.T) {
	s := newSystem(t)
	h, headers := s.handler(t), callers(t, s)
	w := ask(h, "GET", "/api/hw/v1/users", "Authorization", headers[state.Viewer])
	var got struct{ Status, ErrorType, Error string }
	must(t, json.Unmarshal(w.Body.Bytes(), &got))
	want := "not allowed: this needs the role admin, and token viewer has the role viewer"
	if w.Code != 403 || got.ErrorType != "forbidden" || got.Error != want {
		t.Errorf("got %d %+v, want 403 and %q", w.Code, got, want)
	}
}

func TestAnonymousViewersOnlyView(t *testing.T) {
	s := newSystem(t)
	callers(t, s)
	s.cfg.Login.AnonymousViewer = true
	h := s.handler(t)
	for path, want := range map[string]int{"GET /api/v1/labels": 200, "GET /api/hw/v1/users": 401, "POST /api/v2/silences": 401, "POST /-/reload": 401} {
		method, target, _ := strings.Cut(path, " ")
		if w := ask(h, method, target); w.Code != want {
			t.Errorf("%s: got %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	if w := ask(h, "GET", "/api/v1/labels", "Host", "evil.example"); w.Code != 421 {
		t.Errorf("rebound name: got %d, want 421", w.Code)
	}
}

func TestChangesAreLogged(t *testing.T) {
	s := newSystem(t)
	headers := callers(t, s)
	h := s.handler(t)
	ask(h, "POST", "/-/reload", "Authorization", headers[state.Admin], "From", "192.0.2.9:77")
	ask(h, "POST", "/api/v2/silences", "Authorization", headers[state.Editor])
	ask(h, "POST", "/api/v2/silences", "Authorization", headers[state.Viewer]) // Refused: no change.
	ask(h, "POST", "/api/v2/alerts", "Authorization", headers[state.Editor])   // Pushed, not changed.
	ask(h, "POST", "/api/v1/query?query=up", "Authorization", headers[state.Editor])
	ask(h, "GET", "/api/v2/silences", "Authorization", headers[state.Editor])
	var got string
	eventually(t, "two changes", func() bool {
		changes, err := s.deps.State.Changes(t.Context(), 0, 10)
		must(t, err)
		got = ""
		for _, c := range changes {
			got += fmt.Sprintln(c.Who, c.Client, c.Action, c.Object, c.Status)
		}
		return len(changes) >= 2
	})
	want := "token editor 192.0.2.1 POST /api/v2/ /api/v2/silences 200\n" +
		"token admin 192.0.2.9 POST /-/reload /-/reload 200\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
