package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const (
	forEver    = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// build is what a build of the page leaves in dist/.
func build() fstest.MapFS {
	return fstest.MapFS{
		".gitkeep":                {},
		"index.html":              {Data: []byte(`<!doctype html><base href="./" /><title>hedgewatch</title>`)},
		"favicon.svg":             {Data: []byte("<svg/>")},
		"assets/index-a1b2c3.js":  {Data: []byte("console.log(1)")},
		"assets/index-a1b2c3.css": {Data: []byte("body{}")},
	}
}

func TestHandlerServesTheBuiltPage(t *testing.T) {
	type answer struct {
		Status             int
		ContentType, Cache string
	}
	html := answer{http.StatusOK, "text/html; charset=utf-8", revalidate}
	notFound := answer{Status: http.StatusNotFound, ContentType: "text/plain; charset=utf-8"}
	tests := []struct {
		name, path string
		want       answer
	}{
		{"root", "/", html},
		{"index by name", "/index.html", html},
		{"view", "/dashboards/host", html},
		{"view with a slash at its end", "/alerts/", html},
		{"hashed script", "/assets/index-a1b2c3.js", answer{http.StatusOK, "text/javascript; charset=utf-8", forEver}},
		{"hashed style", "/assets/index-a1b2c3.css", answer{http.StatusOK, "text/css; charset=utf-8", forEver}},
		{"file without a hash", "/favicon.svg", answer{http.StatusOK, "image/svg+xml", revalidate}},
		{"asset of an older build", "/assets/index-000000.js", notFound},
		{"directory", "/assets/", notFound},
		{"hidden file", "/.gitkeep", notFound},
		{"path that climbs", "/../ui.go", notFound},
		{"misspelt API path", "/api/v1/querry", notFound},
		{"misspelt life-cycle path", "/-/reloadd", notFound},
	}
	h := newHandler(build())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get(h, tt.path, nil)
			got := answer{r.Code, r.Header().Get("Content-Type"), r.Header().Get("Cache-Control")}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("GET %s (-want +got):\n%s", tt.path, diff)
			}
		})
	}
}

func TestIndexLeadsBackToTheRoot(t *testing.T) {
	tests := []struct{ path, want string }{
		{"/", "./"},
		{"/index.html", "./"},
		{"/alerts", "./"},
		{"/alerts/", "../"},
		{"/dashboards/host", "../"},
		{"/dashboards/host/edit/7", "../../../"},
	}
	h := newHandler(build())
	for _, tt := range tests {
		want := `<base href="` + tt.want + `" />`
		if r := get(h, tt.path, nil); !strings.Contains(r.Body.String(), want) {
			t.Errorf("GET %s: got %q, want it to contain %q", tt.path, r.Body, want)
		}
	}
}

func TestContentPolicyKeepsTheConfiguredOne(t *testing.T) {
	h := newHandler(build())
	if got := get(h, "/", nil).Header().Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self';") {
		t.Errorf("got policy %q, want scripts from here only", got)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := w.Header().Get("Content-Security-Policy"); got != "default-src 'none'" {
		t.Errorf("got policy %q, want the configured one", got)
	}
}

func TestHandlerAnswersNotModified(t *testing.T) {
	h := newHandler(build())
	first := get(h, "/", nil)
	second := get(h, "/", http.Header{"If-None-Match": {first.Header().Get("ETag")}})
	if second.Code != http.StatusNotModified || second.Body.Len() != 0 {
		t.Errorf("got status %d with %d bytes, want 304 with none", second.Code, second.Body.Len())
	}

	changed := build()
	changed["index.html"].Data = []byte("<!doctype html><title>newer</title>")
	third := get(newHandler(changed), "/", http.Header{"If-None-Match": {first.Header().Get("ETag")}})
	if third.Code != http.StatusOK {
		t.Errorf("after a new build: got status %d, want 200", third.Code)
	}
}

func TestHandlerRefusesWrites(t *testing.T) {
	w := httptest.NewRecorder()
	newHandler(build()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("got status %d, Allow %q, want 405, %q", w.Code, w.Header().Get("Allow"), "GET, HEAD")
	}
}

func TestHandlerWithoutABuildServesThePlaceholder(t *testing.T) {
	h := newHandler(fstest.MapFS{".gitkeep": {}})

	root := get(h, "/", nil)
	if root.Code != http.StatusOK || root.Body.String() != placeholder {
		t.Errorf("GET /: got status %d and %d bytes, want the placeholder", root.Code, root.Body.Len())
	}
	if deep := get(h, "/dashboards/host", nil); deep.Code != http.StatusNotFound {
		t.Errorf("GET /dashboards/host: got status %d, want 404", deep.Code)
	}
}

func TestPlaceholderLoadsNothingAndLinksRelatively(t *testing.T) {
	for _, remote := range []string{`src="`, "@import", "<link"} {
		if strings.Contains(placeholder, remote) {
			t.Errorf("the placeholder contains %q; it must be whole in itself", remote)
		}
	}
	if strings.Contains(placeholder, `href="/`) {
		t.Error("the placeholder links to an absolute path, which breaks under a route prefix")
	}
}

func TestHandlerServesWhatIsEmbedded(t *testing.T) {
	if r := get(Handler(), "/", nil); r.Code != http.StatusOK {
		t.Errorf("GET /: got status %d, want 200", r.Code)
	}
}

func get(h http.Handler, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	r.URL.Path = path
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
