package api_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

func rulesText(group, expr string) string {
	return "groups:\n  - name: " + group + "\n    rules:\n      - alert: Lag\n        expr: " + expr + "\n        for: 1m\n"
}

// TestRulesMadeInTheUI: they are checked as files are, kept with versions, and
// evaluated at once.
func TestRulesMadeInTheUI(t *testing.T) {
	s := newSystem(t)
	p := &page{t: t, h: s.handler(t)}
	put := func(group, yaml string, version int) (int, string) {
		w := p.fetch("PUT", "/rules/"+group, map[string]any{"yaml": yaml, "version": version})
		return w.Code, w.Body.String()
	}
	for _, tc := range []struct{ name, group, yaml, want string }{
		{"not YAML", "a", "groups: [", "did not find expected"},
		{"bad expression", "a", rulesText("a", "up >"), "unexpected end of input"},
		{"unknown key", "a", strings.Replace(rulesText("a", "up"), "for:", "fro:", 1), "fro"},
		{"another name", "b", rulesText("a", "up"), `must have one group, called \"b\"`},
		{"two groups", "a", rulesText("a", "up") + "  - name: b\n", `it has [\"a\" \"b\"]`},
	} {
		if code, body := put(tc.group, tc.yaml, 0); code != 400 || !strings.Contains(body, tc.want) {
			t.Errorf("%s: got %d %s, want 400 and %q", tc.name, code, body, tc.want)
		}
	}
	if s.reloads != 0 {
		t.Errorf("got %d reloads after bad rules, want none", s.reloads)
	}

	// A name with a slash must not leave the directory.
	name, path := "../lag", filepath.Join(s.deps.State.RuleDir(), "..%2Flag.yml")
	for version, expr := range []string{"lag > 1", "lag > 2"} {
		if code, body := put("..%2Flag", rulesText(name, expr), version); code != 200 {
			t.Fatalf("version %d: got %d %s", version, code, body)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != rulesText(name, "lag > 2") || s.reloads != 2 {
		t.Errorf("got file %q %v and %d reloads, want the second version and 2", text, err, s.reloads)
	}
	if code, body := put("..%2Flag", rulesText(name, "lag > 9"), 1); code != 409 || !strings.Contains(body, "lag \\u003e 2") {
		t.Errorf("old base: got %d %s, want 409 and the current text", code, body)
	}
	if w := p.fetch("POST", "/rules/..%2Flag/versions/1/restore", map[string]int{"version": 2}); w.Code != 200 {
		t.Errorf("restore: got %d %s", w.Code, w.Body)
	}
	versions := get[[]state.RuleGroup](t, p.fetch("GET", "/rules/..%2Flag/versions", nil), 200)
	if len(versions) != 3 || versions[0].YAML != rulesText(name, "lag > 1") || versions[0].Message != "Restored version 1." {
		t.Errorf("got versions %+v", versions)
	}
	if w := p.fetch("DELETE", "/rules/..%2Flag", nil); w.Code != 204 {
		t.Errorf("delete: got %d %s", w.Code, w.Body)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}
