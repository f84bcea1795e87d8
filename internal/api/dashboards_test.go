package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

type dashboardAnswer struct {
	Meta      state.Dashboard
	Dashboard json.RawMessage
	Warnings  []string
	Error     string
	Current   *dashboardAnswer
}

// TestTwoPeopleEditOneDashboard: the second to save loses nothing and sees what
// the first has done.
func TestTwoPeopleEditOneDashboard(t *testing.T) {
	s := newSystem(t)
	p := &page{t: t, h: s.handler(t)}
	put := func(title string, version, status int) dashboardAnswer {
		t.Helper()
		body := map[string]any{"dashboard": json.RawMessage(`{"title": "` + title + `", "x": 1.50, "panels": []}`), "folder": "trading", "version": version}
		return get[dashboardAnswer](t, p.fetch("PUT", "/dashboards/fills", body), status)
	}
	if got := put("Fills", 0, 200); got.Meta.Version != 1 || !strings.Contains(string(got.Dashboard), `"x":1.50`) {
		t.Errorf("got %+v %s, want version 1 and every digit", got.Meta, got.Dashboard)
	}
	put("Fills by ann", 1, 200)
	refused := put("Fills by bob", 1, 409)
	if refused.Current == nil || refused.Current.Meta.Title != "Fills by ann" || refused.Current.Meta.Version != 2 || refused.Error == "" {
		t.Errorf("got %+v, want the current dashboard beside the conflict", refused)
	}
	if list := get[[]state.Dashboard](t, p.fetch("GET", "/dashboards?search=ANN&folder=trading", nil), 200); len(list) != 1 {
		t.Errorf("got %+v, want the one that matches", list)
	}
	if list := p.fetch("GET", "/dashboards?search=nothing", nil).Body.String(); strings.TrimSpace(list) != "[]" {
		t.Errorf("got %s, want an empty list", list)
	}
	if w := p.fetch("POST", "/dashboards/fills/versions/1/restore", map[string]int{"version": 1}); w.Code != 409 {
		t.Errorf("restore with an old base: got %d %s, want 409", w.Code, w.Body)
	}
	restored := get[dashboardAnswer](t, p.fetch("POST", "/dashboards/fills/versions/1/restore", map[string]int{"version": 2}), 200)
	if restored.Meta.Title != "Fills" || restored.Meta.Version != 3 {
		t.Errorf("got %+v, want the first title as version 3", restored.Meta)
	}
	export := p.fetch("GET", "/dashboards/fills/export", nil)
	if !strings.Contains(export.Header().Get("Content-Disposition"), "fills.json") || !strings.HasPrefix(export.Body.String(), `{"title"`) {
		t.Errorf("got %v %s, want a file with the JSON alone", export.Header(), export.Body)
	}
	imported := get[dashboardAnswer](t, p.fetch("POST", "/dashboards/import", `{"__inputs": [{"name": "DS", "type": "datasource", "pluginId": "loki"}], "title": "${DS}"}`), 200)
	if imported.Meta.Title != "hedgewatch" || len(imported.Warnings) != 1 {
		t.Errorf("got %+v, want the input filled in and a warning", imported)
	}
}

func TestBadDashboardBodies(t *testing.T) {
	s := newSystem(t)
	p := &page{t: t, h: s.handler(t)}
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"broken JSON", "PUT", "/dashboards/a", "{\"dashboard\": {\n  \"title\": }}", 400, "line 2, column 12"},
		{"broken export", "POST", "/dashboards/import", "{\n\"title\": \"a\",\n]", 400, "line 3, column 1"},
		{"no dashboard", "PUT", "/dashboards/a", `{}`, 400, "not JSON"},
		{"unknown key", "PUT", "/dashboards/a", `{"dashbord": {}}`, 400, "dashbord"},
		{"title missing", "POST", "/dashboards", `{"dashboard": {}}`, 400, "no title"},
		{"too large", "PUT", "/dashboards/a", `{"dashboard": {"title": "a", "x": "` + strings.Repeat("a", 5<<20) + `"}}`, 413, "4 MiB"},
		{"far too large", "PUT", "/dashboards/a", `{"dashboard": "` + strings.Repeat("a", 11<<20) + `"}`, 413, "10 MiB"},
		{"not there", "GET", "/dashboards/nope", "", 404, `\"nope\" does not exist`},
		{"version not there", "GET", "/dashboards/nope/versions/3", "", 404, "no version 3"},
		{"version is no number", "GET", "/dashboards/nope/versions/x", "", 400, "use a number"},
		{"delete what is not there", "DELETE", "/dashboards/nope", "", 404, "does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := p.fetch(tc.method, tc.path, tc.body); w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
				t.Errorf("got %d %.300s, want %d and %q", w.Code, w.Body, tc.status, tc.want)
			}
		})
	}
}
