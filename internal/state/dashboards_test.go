package state_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// reasonOf is why the state refused, 0 if it did not.
func reasonOf(err error) state.Reason {
	var refused *state.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return 0
}

func save(t *testing.T, s *state.State, d state.DashboardSave) state.Dashboard {
	t.Helper()
	saved, err := s.SaveDashboard(t.Context(), d)
	must(t, err)
	return saved
}

func TestSaveRefusesToOverwriteWhatWasNotSeen(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{})
	first := save(t, s, state.DashboardSave{JSON: []byte(`{"title": "Fills"}`), Who: "ann"})
	second := save(t, s, state.DashboardSave{UID: first.UID, JSON: []byte(`{"title": "Fills 2"}`), Base: 1, Who: "bob"})
	if second.Version != 2 || second.UpdatedBy != "bob" {
		t.Errorf("got %+v, want version 2 by bob", second)
	}
	_, err := s.SaveDashboard(t.Context(), state.DashboardSave{UID: first.UID, JSON: []byte(`{"title": "Mine"}`), Base: 1, Who: "ann"})
	if reasonOf(err) != state.Conflict || !strings.Contains(err.Error(), "version 2 now and the edit began with version 1") {
		t.Errorf("got %v, want a conflict with both versions", err)
	}
	same := save(t, s, state.DashboardSave{UID: first.UID, JSON: second.JSON, Base: 2, Who: "eve"})
	if same.Version != 2 || same.UpdatedBy != "bob" {
		t.Errorf("saving what is there: got %+v, want nothing new", same)
	}
	back, err := s.RestoreDashboard(t.Context(), first.UID, 1, 2, "eve")
	must(t, err)
	if back.Version != 3 || back.Title != "Fills" {
		t.Errorf("got %+v, want version 3 with the first title", back)
	}
	versions, err := s.DashboardVersions(t.Context(), first.UID)
	must(t, err)
	var got []string
	for _, v := range versions {
		got = append(got, fmt.Sprint(v.Version, v.Who, v.Message))
	}
	if diff := cmp.Diff([]string{"3eveRestored version 1.", "2bob", "1ann"}, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestOldVersionsAreForgotten(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{})
	for i := range 55 {
		save(t, s, state.DashboardSave{UID: "d", JSON: fmt.Appendf(nil, `{"title": "v%d"}`, i+1), Base: i})
	}
	versions, err := s.DashboardVersions(t.Context(), "d")
	must(t, err)
	if len(versions) != 50 || versions[49].Version != 6 {
		t.Errorf("got %d versions down to %d, want 50 down to 6", len(versions), versions[len(versions)-1].Version)
	}
	if _, err := s.DashboardAt(t.Context(), "d", 5); reasonOf(err) != state.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}

func TestShippedDashboardsAreCopiedOnEdit(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{Dashboards: fstest.MapFS{
		"host.json": {Data: []byte(`{"title": "Host", "tags": ["node"], "panels": []}`)},
		"README.md": {Data: []byte("not a dashboard")},
	}})
	d, err := s.Dashboard(t.Context(), "host")
	must(t, err)
	if !d.Shipped || d.Version != 0 || d.Folder != "hedgewatch" {
		t.Fatalf("got %+v, want a shipped one", d)
	}
	if err := s.DeleteDashboard(t.Context(), "host"); reasonOf(err) != state.Conflict {
		t.Errorf("delete a shipped one: got %v, want a conflict", err)
	}
	edited := save(t, s, state.DashboardSave{UID: "host", JSON: []byte(`{"title": "My host"}`), Base: 0, Folder: "mine"})
	list, err := s.Dashboards(t.Context(), state.DashboardFilter{})
	must(t, err)
	if len(list) != 1 || list[0].Title != "My host" || !list[0].Edited || edited.Version != 1 {
		t.Errorf("got %+v, want the edited one only", list)
	}
	original, err := s.DashboardAt(t.Context(), "host", 0)
	must(t, err)
	if !strings.Contains(string(original), `"Host"`) {
		t.Errorf("got %s, want the shipped one as version 0", original)
	}
	must(t, s.DeleteDashboard(t.Context(), "host"))
	if d, err := s.Dashboard(t.Context(), "host"); err != nil || d.Title != "Host" {
		t.Errorf("after delete: got %+v %v, want the shipped one", d, err)
	}
}

func TestSearchForDashboards(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{})
	for _, d := range []struct{ folder, json string }{
		{"trading", `{"title": "Order flow", "tags": ["binance", "orders"]}`},
		{"trading", `{"title": "Fills", "tags": ["binance"]}`},
		{"", `{"title": "Host overview"}`},
	} {
		save(t, s, state.DashboardSave{JSON: []byte(d.json), Folder: d.folder})
	}
	for _, tc := range []struct {
		name   string
		filter state.DashboardFilter
		want   string
	}{
		{"all, by folder and title", state.DashboardFilter{}, "Host overview, Fills, Order flow"},
		{"words in any case", state.DashboardFilter{Words: []string{"FLOW", "order"}}, "Order flow"},
		{"word is a tag", state.DashboardFilter{Words: []string{"binance", "fill"}}, "Fills"},
		{"folder", state.DashboardFilter{Folder: new("trading")}, "Fills, Order flow"},
		{"no folder", state.DashboardFilter{Folder: new("")}, "Host overview"},
		{"tags", state.DashboardFilter{Tags: []string{"binance", "orders"}}, "Order flow"},
		{"nothing", state.DashboardFilter{Words: []string{"zebra"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := s.Dashboards(t.Context(), tc.filter)
			must(t, err)
			var titles []string
			for _, d := range list {
				titles = append(titles, d.Title)
			}
			if got := strings.Join(titles, ", "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBadDashboardsAreRefused(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{})
	for _, tc := range []struct {
		name, json, uid string
		reason          state.Reason
		want            string
	}{
		{"empty", "", "", state.Invalid, "unexpected end of JSON input"},
		{"cut off", "{\"title\": \"a\",\n \"panels\": [", "", state.Invalid, "line 2"},
		{"comma", "{\n\n  \"title\": \"ä\",,}", "", state.Invalid, "line 3, column 16"},
		{"list", "[]", "", state.Invalid, "not a JSON object"},
		{"two values", `{"title":"a"} {}`, "", state.Invalid, "line 1, column 15"},
		{"no title", `{"panels": []}`, "", state.Invalid, "no title"},
		{"blank title", `{"title": " "}`, "", state.Invalid, "no title"},
		{"title is a number", `{"title": 5}`, "", state.Invalid, `"title" must be text`},
		{"panels are an object", `{"title": "a", "panels": {}}`, "", state.Invalid, `"panels" must be a list of objects`},
		{"tags are numbers", `{"title": "a", "tags": [1]}`, "", state.Invalid, `"tags" must be a list of texts`},
		{"key twice", `{"title": "a", "title": "b"}`, "", state.Invalid, `"title" twice`},
		{"not UTF-8", "{\"title\": \"\xff\"}", "", state.Invalid, "not UTF-8"},
		{"bad UID", `{"title": "a"}`, "a/b", state.Invalid, "UID"},
		{"schema 2", `{"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "spec": {}}`, "", state.Invalid, "schema v2"},
		{"too large", `{"title": "` + strings.Repeat("a", state.MaxDashboardBytes) + `"}`, "", state.TooLarge, "4 MiB"},
		{"too deep", strings.Repeat(`{"title":`, 20_000), "", state.Invalid, "depth"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := s.SaveDashboard(t.Context(), state.DashboardSave{UID: tc.uid, JSON: []byte(tc.json)})
			if reasonOf(err) != tc.reason || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// numbers that a float64 would change.
var numbers = []string{"0.1", "1.0", "1e400", "12345678901234567890.123456789", "-0", "1E5"}

// anyJSON writes a random value as text, with odd numbers, escapes and spaces.
func anyJSON(r *rand.Rand, depth int) string {
	space := []string{"", " ", "\n\t"}[r.IntN(3)]
	kind := r.IntN(6)
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return space + numbers[r.IntN(len(numbers))]
	case 1:
		return space + []string{`"a<b>&c"`, `"\u0041\n\ud83d\ude00"`, `"ü\/"`, `""`}[r.IntN(4)]
	case 2:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 3:
		return "{}"
	}
	var parts []string
	for i := range r.IntN(4) {
		value := anyJSON(r, depth-1)
		if kind == 4 {
			value = fmt.Sprintf(`"k%d"%s:%s`, i, space, value)
		}
		parts = append(parts, value)
	}
	if kind == 4 {
		return "{" + strings.Join(parts, space+",") + "}"
	}
	return "[" + strings.Join(parts, ",") + space + "]"
}

// canonical decodes JSON so that two texts can be compared: numbers stay text.
func canonical(t *testing.T, text []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	var value map[string]any
	must(t, dec.Decode(&value))
	return value
}

// TestRoundTripKeepsEverything: what was saved comes back with every field,
// known or not, and every digit, after any number of saves.
func TestRoundTripKeepsEverything(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{})
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var unknown []string
		for i := range r.IntN(6) {
			unknown = append(unknown, fmt.Sprintf(`"x%d": %s`, i, anyJSON(r, 4)))
		}
		text := []byte(`{"title": "t", "panels": [{"id": 1, "options": ` + anyJSON(r, 4) + `}], ` + strings.Join(append(unknown, `"schemaVersion": 39`), ", ") + "}")
		d := save(t, s, state.DashboardSave{JSON: text})
		again := save(t, s, state.DashboardSave{UID: d.UID, JSON: d.JSON, Base: 1, Folder: "moved"})
		read, err := s.Dashboard(t.Context(), d.UID)
		must(t, err)
		want := canonical(t, text)
		want["id"], want["uid"], want["version"] = nil, d.UID, json.Number("2")
		if diff := cmp.Diff(want, canonical(t, read.JSON)); diff != "" || again.Version != 2 {
			t.Fatalf("version %d of %s\n(-saved +read):\n%s", again.Version, text, diff)
		}
	}
}

func TestImport(t *testing.T) {
	s, _ := open(t, state.Config{}, state.Deps{})
	export := `{
		"__inputs": [
			{"name": "DS_PROM", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"},
			{"name": "DS_LOKI", "type": "datasource", "pluginId": "loki"},
			{"name": "VAR_JOB", "type": "constant", "value": "node"},
			{"name": "VAR_QUOTE", "type": "constant", "value": "x"}
		],
		"__requires": [{"type": "panel", "id": "gauge"}],
		"id": 17, "uid": "rYdddlPWk", "title": "Node ${VAR_JOB}", "version": 99,
		"panels": [{"datasource": {"type": "prometheus", "uid": "${DS_PROM}"}, "targets": [{"expr": "up{job=\"${VAR_JOB}\"}", "legend": "${VAR_QUOTE}"}]}],
		"x-unknown": 1.10
	}`
	d, warnings, err := s.ImportDashboard(t.Context(), state.DashboardImport{
		JSON: []byte(export), Folder: "imported", Who: "ann", Inputs: map[string]string{"VAR_QUOTE": `say "hi"`},
	})
	must(t, err)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "DS_LOKI") {
		t.Errorf("got warnings %q, want one about Loki", warnings)
	}
	want := canonical(t, []byte(`{
		"id": null, "uid": "rYdddlPWk", "title": "Node node", "version": 1,
		"panels": [{"datasource": {"type": "prometheus", "uid": "hedgewatch"}, "targets": [{"expr": "up{job=\"node\"}", "legend": "say \"hi\""}]}],
		"x-unknown": 1.10
	}`))
	if diff := cmp.Diff(want, canonical(t, d.JSON)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	again := state.DashboardImport{JSON: []byte(export)}
	if _, _, err := s.ImportDashboard(t.Context(), again); reasonOf(err) != state.Conflict {
		t.Errorf("again: got %v, want a conflict", err)
	}
	again.Overwrite = true
	if d, _, err := s.ImportDashboard(t.Context(), again); err != nil || d.Version != 2 {
		t.Errorf("overwrite: got %+v %v, want version 2", d, err)
	}
	answer := `{"meta": {"slug": "x"}, "dashboard": {"uid": "not a good uid!", "title": "From the API"}}`
	if d, _, err := s.ImportDashboard(t.Context(), state.DashboardImport{JSON: []byte(answer)}); err != nil || d.Title != "From the API" || strings.Contains(d.UID, " ") {
		t.Errorf("answer of Grafana's API: got %+v %v", d, err)
	}
	bomb := `{"__inputs": [{"name": "A", "type": "constant", "value": "` + strings.Repeat("x", 1<<20) + `"}], "title": "` + strings.Repeat("${A}", 10) + `"}`
	if _, _, err := s.ImportDashboard(t.Context(), state.DashboardImport{JSON: []byte(bomb)}); reasonOf(err) != state.TooLarge {
		t.Errorf("bomb: got %.100v, want too large", err)
	}
}

// FuzzImport: whatever is imported is refused with a reason, or is a dashboard
// that can be read, saved and exported.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		`{"title": "a"}`, `{"title": "a", "uid": "b", "tags": ["c"], "panels": [{}]}`, `{"dashboard": {"title": "a"}}`,
		`{"__inputs": [{"name": "A", "type": "datasource"}], "title": "${A}"}`, `{"__inputs": [{}]}`, `[1]`, `{"title": "\ud800"}`, "{",
		`{"__inputs": [{"name": "\"", "type": "constant", "value": "\\"}], "title": "${\"}"}`,
	} {
		f.Add([]byte(seed))
	}
	s, err := state.New(state.Config{Dir: f.TempDir()}, state.Deps{})
	must(f, err)
	f.Cleanup(func() { must(f, s.Close()) })
	f.Fuzz(func(t *testing.T, text []byte) {
		d, _, err := s.ImportDashboard(t.Context(), state.DashboardImport{JSON: text, Overwrite: true})
		if err != nil {
			if reasonOf(err) == 0 {
				t.Fatalf("%q: got %v, want a reason", text, err)
			}
			return
		}
		read, err := s.Dashboard(t.Context(), d.UID)
		must(t, err)
		if !json.Valid(read.JSON) || canonical(t, read.JSON)["uid"] != d.UID {
			t.Fatalf("%q: got %s", text, read.JSON)
		}
		must(t, s.DeleteDashboard(t.Context(), d.UID))
	})
}
