package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// page is a browser with our page open.
type page struct {
	t      *testing.T
	h      http.Handler
	cookie *http.Cookie
}

// fetch sends JSON and keeps the cookie, as a browser does.
func (p *page) fetch(method, path string, body any) *httptest.ResponseRecorder {
	p.t.Helper()
	var content []byte
	if text, ok := body.(string); ok {
		content = []byte(text)
	} else if body != nil {
		var err error
		content, err = json.Marshal(body)
		must(p.t, err)
	}
	r := httptest.NewRequest(method, "http://localhost/api/hw/v1"+path, strings.NewReader(string(content)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		p.cookie = c
		if c.MaxAge < 0 || c.Value == "" {
			p.cookie = nil
		}
	}
	return w
}

// get decodes an answer that must have the status.
func get[T any](t *testing.T, w *httptest.ResponseRecorder, status int) (value T) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("got %d %s, want %d", w.Code, w.Body, status)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return value
}

type sessionAnswer struct {
	User, Role, Kind   string
	MustChangePassword bool
	Login              struct{ Required, Password, AnonymousViewer bool }
}

func (p *page) session() string {
	p.t.Helper()
	s := get[sessionAnswer](p.t, p.fetch("GET", "/session", nil), 200)
	return fmt.Sprintf("%s/%s/%s change=%v required=%v", s.User, s.Role, s.Kind, s.MustChangePassword, s.Login.Required)
}

// TestALifeOfAUser: from an open listener to a logged-out editor.
func TestALifeOfAUser(t *testing.T) {
	s := newSystem(t)
	h := s.handler(t)
	admin, editor := &page{t: t, h: h}, &page{t: t, h: h}
	expect := func(p *page, want string) {
		t.Helper()
		if got := p.session(); got != want {
			t.Errorf("got session %q, want %q", got, want)
		}
	}
	status := func(p *page, method, path string, body any, want int) *httptest.ResponseRecorder {
		t.Helper()
		w := p.fetch(method, path, body)
		if w.Code != want {
			t.Errorf("%s %s: got %d %s, want %d", method, path, w.Code, w.Body, want)
		}
		return w
	}
	expect(admin, "/admin/open change=false required=false")
	status(admin, "POST", "/tokens", map[string]string{"name": "x", "role": "viewer"}, 409)
	status(admin, "POST", "/users", map[string]string{"name": "eve", "role": "editor", "password": "correct horse"}, 400)
	status(admin, "POST", "/users", map[string]string{"name": "ann", "role": "admin", "password": "correct horse"}, 200)

	expect(admin, "//"+" change=false required=true")
	status(admin, "GET", "/dashboards", nil, 401)
	status(admin, "POST", "/session", map[string]string{"user": "ann", "password": "wrong"}, 401)
	status(admin, "POST", "/session", map[string]string{"user": "nobody", "password": "correct horse"}, 401)
	w := status(admin, "POST", "/session", map[string]string{"user": "ann", "password": "correct horse"}, 200)
	if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "HttpOnly") || !strings.Contains(got, "SameSite=Strict") || !strings.Contains(got, "Path=/;") {
		t.Errorf("got cookie %q, want HttpOnly, SameSite=Strict and the path", got)
	}
	expect(admin, "ann/admin/user change=true required=true")
	refused := get[struct{ ErrorType string }](t, admin.fetch("GET", "/users", nil), 403)
	if refused.ErrorType != "password_change_required" {
		t.Errorf("got %q before the change of the password", refused.ErrorType)
	}
	status(admin, "PUT", "/session/password", map[string]string{"old": "wrong", "new": "battery staple"}, 401)
	status(admin, "PUT", "/session/password", map[string]string{"old": "correct horse", "new": "short"}, 400)
	status(admin, "PUT", "/session/password", map[string]string{"old": "correct horse", "new": "correct horse"}, 400)
	status(admin, "PUT", "/session/password", map[string]string{"old": "correct horse", "new": "battery staple"}, 200)
	expect(admin, "ann/admin/user change=false required=true")

	status(admin, "POST", "/users", map[string]string{"name": "eve", "role": "editor", "password": "correct horse"}, 200)
	status(editor, "POST", "/session", map[string]string{"user": "eve", "password": "correct horse"}, 200)
	status(editor, "PUT", "/session/password", map[string]string{"old": "correct horse", "new": "battery staple"}, 200)
	status(editor, "GET", "/users", nil, 403)
	status(editor, "GET", "/dashboards", nil, 200)
	stolen := *editor.cookie
	status(admin, "PATCH", "/users/eve", map[string]any{"role": "viewer"}, 200)
	expect(editor, "eve/viewer/user change=false required=true")
	status(admin, "PATCH", "/users/ann", map[string]any{"role": "viewer"}, 409)
	status(admin, "DELETE", "/users/ann", nil, 409)
	status(admin, "PATCH", "/users/eve", map[string]any{"disabled": true}, 200)
	expect(editor, "// change=false required=true")
	status(admin, "PATCH", "/users/eve", map[string]any{"disabled": false}, 200)
	editor.cookie = &stolen
	expect(editor, "// change=false required=true") // Disabling ended the session for good.

	status(admin, "POST", "/users", map[string]string{"name": "eve", "role": "editor", "password": "correct horse"}, 409)
	status(admin, "DELETE", "/users/eve", nil, 204)
	status(admin, "DELETE", "/users/eve", nil, 404)
	old := *admin.cookie
	status(admin, "DELETE", "/session", nil, 204)
	admin.cookie = &old
	expect(admin, "// change=false required=true")
}

func TestTokensOfTheAPI(t *testing.T) {
	s := newSystem(t)
	headers := callers(t, s)
	h := s.handler(t)
	post := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://localhost/api/hw/v1/tokens", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		r.Header.Set("Authorization", headers[state.Admin])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	created := get[struct{ Secret, CreatedBy string }](t, post(`{"name": "grafana", "role": "viewer", "expires": "2999-01-01T00:00:00Z"}`), 200)
	if created.CreatedBy != "token admin" {
		t.Errorf("got created by %q", created.CreatedBy)
	}
	if w := ask(h, "GET", "/metrics", "Authorization", "Bearer "+created.Secret); w.Code != 200 {
		t.Errorf("new token: got %d %s, want 200", w.Code, w.Body)
	}
	for body, want := range map[string]string{
		`{"name": "grafana", "role": "viewer"}`:                              "exists already",
		`{"name": "x", "role": "root"}`:                                      "use viewer, editor or admin",
		`{"name": "x"}`:                                                      "a role is needed",
		`{"name": "../x", "role": "viewer"}`:                                 "token name",
		`{"name": "x", "role": "viewer", "expires": "2001-01-01T00:00:00Z"}`: "in the past",
		`{"name": "x", "role": "viewer", "secret": "mine"}`:                  `unknown field \"secret\"`,
		"{\"name\": \"x\",\n \"role\": }":                                    "line 2, column 10",
	} {
		if w := post(body); w.Code < 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %q", body, w.Code, w.Body, want)
		}
	}
	if list := ask(h, "GET", "/api/hw/v1/tokens", "Authorization", headers[state.Admin]).Body.String(); strings.Contains(list, created.Secret) || !strings.Contains(list, "lastUsed") {
		t.Errorf("got the list %s, want when it was used, and no secret", list)
	}
	if w := ask(h, "DELETE", "/api/hw/v1/tokens/grafana", "Authorization", headers[state.Admin]); w.Code != 204 {
		t.Errorf("delete: got %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/metrics", "Authorization", "Bearer "+created.Secret); w.Code != 401 {
		t.Errorf("deleted token: got %d, want 401", w.Code)
	}
}

// TestFileUsersHaveSessions: a user of the web config file logs in on the page,
// is an administrator, and is gone when the file says so.
func TestFileUsersHaveSessions(t *testing.T) {
	s := newSystem(t)
	s.webConfig(t, fmt.Sprintf("basic_auth_users: {ann: %q}", hashed(t, "secret")))
	server, err := s.server()
	must(t, err)
	p := &page{t: t, h: server.Handler()}
	if w := p.fetch("GET", "/users", nil); w.Code != 401 || strings.Contains(fmt.Sprint(w.Header()["Www-Authenticate"]), "Basic") {
		t.Errorf("got %d %v, want 401 without a challenge that makes browsers ask", w.Code, w.Header())
	}
	if w := p.fetch("POST", "/session", map[string]string{"user": "ann", "password": "secret"}); w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if got, want := p.session(), "ann/admin/user change=false required=true"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.webConfig(t, fmt.Sprintf("basic_auth_users: {bob: %q}", hashed(t, "secret")))
	commit, err := server.Prepare(s.cfg.Login)
	must(t, err)
	commit()
	if got, want := p.session(), "// change=false required=true"; got != want {
		t.Errorf("without the user: got %q, want %q", got, want)
	}
}

func TestSessionsNeedJSON(t *testing.T) {
	h := newSystem(t).handler(t)
	r := httptest.NewRequest("POST", "http://localhost/api/hw/v1/session", strings.NewReader("user=a&password=b"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 415 {
		t.Errorf("got %d %s, want 415", w.Code, w.Body)
	}
}

// TestLostDatabaseLetsNobodyIn: who the users were is unknown then, which is
// not "there are none".
func TestLostDatabaseLetsNobodyIn(t *testing.T) {
	s := newSystem(t)
	dir := t.TempDir()
	must(t, writeFile(dir+"/state.db", "not a database at all"))
	s.deps.State = newState(t, dir, state.Deps{})
	var printed strings.Builder
	s.deps.Stderr = &printed
	server, err := s.server()
	must(t, err)
	if w := ask(server.Handler(), "GET", "/metrics"); w.Code != 403 {
		t.Errorf("got %d, want 403", w.Code)
	}
	must(t, server.Listen())
	defer server.Close()
	if w := ask(server.Handler(), "GET", "/metrics"); w.Code != 401 || !strings.Contains(printed.String(), "password") {
		t.Errorf("got %d and %q, want 401 and a password", w.Code, printed.String())
	}
}

func TestBackupIsADatabase(t *testing.T) {
	s := newSystem(t)
	headers := callers(t, s)
	w := ask(s.handler(t), "GET", "/api/hw/v1/state/backup", "Authorization", headers[state.Admin])
	dir := t.TempDir()
	must(t, writeFile(dir+"/state.db", w.Body.String()))
	restored := newState(t, dir, state.Deps{})
	if diff := cmp.Diff(s.deps.State.Users(), restored.Users(), cmp.AllowUnexported(state.User{})); diff != "" || restored.SetAside() != "" {
		t.Errorf("set aside %q; users differ (-had +restored):\n%s", restored.SetAside(), diff)
	}
}
