package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/rulefile"
)

const ruleFilesConfig = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['rules-*.yml']
`

// TestRuleIsChangedInItsFile: off until the configuration allows it, then written
// and evaluated at once; what may not be done changes nothing.
func TestRuleIsChangedInItsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rules-desk.yml")
	const before = "groups:\n  # Kept.\n  - name: desk\n    rules:\n      - alert: Lag\n        expr: vector(1) > 60 # s\n"
	if err := os.WriteFile(file, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, dir, ruleFilesConfig)
	call := func(method, path string, body any) (int, string) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/api/hw/v1/rule-files/"+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	place := "rule?" + url.Values{"file": {file}, "group": {"desk"}, "alert": {"Lag"}}.Encode()
	view := func() (v rulefile.View) {
		t.Helper()
		code, body := call("GET", place, nil)
		if err := json.Unmarshal([]byte(body), &v); code != 200 || err != nil {
			t.Fatalf("got %d %s, %v", code, body, err)
		}
		return v
	}
	v := view()
	edit := rulefile.Edit{Place: rulefile.Place{File: file, Group: "desk", Alert: "Lag"}, Hash: v.Hash, To: &v.Rule}
	edit.To.Expr = "vector(1) > 90"
	if code, body := call("POST", "diff", edit); code != 200 || !strings.Contains(body, "+        expr: vector(1) \\u003e 90 # s") {
		t.Errorf("diff: got %d %s", code, body)
	}
	if code, body := call("PUT", "rule", edit); code != 403 || !strings.Contains(body, "rules.allow_file_edit") {
		t.Errorf("while it is off: got %d %s, want 403", code, body)
	}
	s.stop()
	s = startServer(t, dir, ruleFilesConfig+"rules: {allow_file_edit: true}\n")

	other, bad, unnamed := edit, edit, edit
	other.File = filepath.Join(dir, "hedgewatch.yml")
	bad.To = &rulefile.Rule{Alert: "Lag", Expr: "up >"}
	unnamed.Hash = "of yesterday"
	for _, tc := range []struct {
		name string
		edit rulefile.Edit
		code int
		want string
	}{
		{"another file", other, 404, "rule_files"},
		{"bad PromQL", bad, 400, "unexpected end of input"},
		{"another text", unnamed, 409, "has changed since it was read"},
	} {
		if code, body := call("PUT", "rule", tc.edit); code != tc.code || !strings.Contains(body, tc.want) {
			t.Errorf("%s: got %d %s, want %d and %q", tc.name, code, body, tc.code, tc.want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != before {
		t.Fatalf("the file has changed: %s %v", text, err)
	}

	if code, body := call("PUT", "rule", edit); code != 200 {
		t.Fatalf("got %d %s", code, body)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != strings.Replace(before, "60", "90", 1) {
		t.Errorf("got file %s %v", text, err)
	}
	eventually(t, 30*time.Second, "the new expression in the rules", func() bool {
		resp, err := http.Get(s.url + "/api/v1/rules")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(body), `vector(1) \u003e 90`)
	})
}
