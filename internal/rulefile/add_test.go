package rulefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/rulefile"
)

func newRule() *rulefile.Rule {
	return &rulefile.Rule{
		Alert: "Fresh", Expr: "up == 0", For: "1m",
		Labels:      map[string]string{"severity": "critical", "yes": "no"},
		Annotations: map[string]string{"summary": "it's {{ $labels.job }}: down"},
	}
}

const newLines = `+      - alert: Fresh
+        expr: up == 0
+        for: 1m
+        labels:
+          severity: critical
+          yes: "no"
+        annotations:
+          summary: 'it''s {{ $labels.job }}: down'
`

func TestNewRuleStandsAtTheEndOfItsGroup(t *testing.T) {
	short := strings.ReplaceAll(newLines, "+      ", "+  ")
	tests := []struct {
		name, text, want string
	}{
		{"as far from the last one as that is from the one before", plainFile, "+\n" + newLines},
		{"before another group", "groups:\n  - name: klines\n    rules:\n      - alert: A\n        expr: up # why\n# The next.\n  - name: other\n    rules: []\n", newLines},
		{"list at the margin of its key", "groups:\n- name: klines\n  rules:\n  - alert: A\n    expr: up\n", short},
		{"last line without an end", "groups:\n- name: klines\n  rules:\n  - alert: A\n    expr: up", "-    expr: up\n+    expr: up\n" + strings.TrimSuffix(short, "\n") + "\n"},
		{"after a block", "groups:\n- name: klines\n  rules:\n  - alert: A\n    expr: |\n      up\n\n# the end\n", short},
		{"in an empty list", "groups:\n- name: klines\n  rules: []\n  interval: 5s\n", "-  rules: []\n+  rules:\n" + strings.ReplaceAll(newLines, "+      ", "+    ")},
		{"where nothing follows the key", "groups:\n- name: klines\n  rules:\n", strings.ReplaceAll(newLines, "+      ", "+    ")},
		{"where there is no key", "groups:\n- name: klines\n  interval: 5s\n", "+  rules:\n" + strings.ReplaceAll(newLines, "+      ", "+    ")},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, dir := newEditor(t, map[string]string{"a.yml": tc.text})
			place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "klines"}
			planned, err := e.Diff(rulefile.Edit{Place: place, To: newRule(), New: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, changedLines(planned.Diff)); diff != "" {
				t.Errorf("changes differ (-want +got):\n%s", diff)
			}
			// Nobody saves what they have not seen.
			if _, err := e.Save(rulefile.Edit{Place: place, To: newRule(), New: true}); !errors.Is(err, rulefile.ErrChanged) {
				t.Errorf("without a hash: got %v, want %v", err, rulefile.ErrChanged)
			}
			if _, err := e.Save(rulefile.Edit{Place: place, To: newRule(), New: true, Hash: planned.Hash}); err != nil {
				t.Fatal(err)
			}
			got := readFile(t, place.File)
			if want := patched(t, tc.text, planned.Diff); got != want {
				t.Errorf("the file is not what the diff says: %s", cmp.Diff(want, got))
			}
			place.Alert = "Fresh"
			view, err := e.Rule(place)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*newRule(), view.Rule); diff != "" {
				t.Errorf("the rule differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewRulesThatTouchMore(t *testing.T) {
	nameless := newRule()
	nameless.Alert = ""
	broken := newRule()
	broken.Expr = "up >"
	tests := []struct {
		name, text string
		to         *rulefile.Rule
		want       error
	}{
		{"no such group", "groups:\n- name: other\n  rules: []\n", newRule(), rulefile.ErrNotFound},
		{"no rule", plainFile, nil, rulefile.ErrInvalid},
		{"no name", plainFile, nameless, rulefile.ErrInvalid},
		{"bad PromQL", plainFile, broken, rulefile.ErrInvalid},
		{"list within brackets", "groups:\n- name: klines\n  rules: [{alert: A, expr: up}]\n", newRule(), rulefile.ErrByHand},
		{"group within brackets", "groups: [{name: klines, rules: []}]\n", newRule(), rulefile.ErrByHand},
		{"list that another group shares", "groups:\n- name: klines\n  rules: &r\n  - alert: A\n    expr: up\n- name: b\n  rules: *r\n", newRule(), rulefile.ErrByHand},
		{"list that is another's", "groups:\n- name: b\n  rules: &r\n  - alert: A\n    expr: up\n- name: klines\n  rules: *r\n", newRule(), rulefile.ErrByHand},
		{"comment behind an empty list", "groups:\n- name: klines\n  rules: [] # none yet\n", newRule(), rulefile.ErrByHand},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, dir := newEditor(t, map[string]string{"a.yml": tc.text})
			place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "klines"}
			if change, err := e.Diff(rulefile.Edit{Place: place, To: tc.to, New: true}); !errors.Is(err, tc.want) {
				t.Errorf("got %+v, error %v, want %v", change, err, tc.want)
			}
		})
	}
}

// FuzzNewRule: whatever the file is, a rule that is added is there, and the diff is
// what makes it so.
func FuzzNewRule(f *testing.F) {
	f.Add(plainFile, "up > 1", "it's")
	f.Add("groups:\n- name: klines\n  rules:\n", "{a=\"b\"}", "a, b")
	f.Add("groups:\n- name: klines\n  rules:\n  - alert: A\n    expr: >2-\n        a\n\n       b\n   # c", "up\n+ 1", "#")
	f.Fuzz(func(t *testing.T, text, expr, label string) {
		e, dir := newEditor(t, map[string]string{"a.yml": text})
		place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "klines"}
		to := &rulefile.Rule{Alert: "Fresh", Expr: expr, Labels: map[string]string{"team": label}}
		change, err := e.Diff(rulefile.Edit{Place: place, To: to, New: true})
		if err != nil {
			return
		}
		if err := os.WriteFile(place.File, []byte(patched(t, text, change.Diff)), 0o640); err != nil {
			t.Fatal(err)
		}
		nth := strings.Count(text, "Fresh") // At most so many are before it.
		for ; nth >= 0; nth-- {
			place.Alert, place.Nth = "Fresh", nth
			if view, err := e.Rule(place); err == nil && strings.TrimRight(view.Rule.Labels["team"], "\n") == strings.TrimRight(label, "\n") {
				return
			}
		}
		t.Errorf("the rule is not there after\n%s", change.Diff)
	})
}
