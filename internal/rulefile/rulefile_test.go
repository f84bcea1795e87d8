package rulefile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/rulefile"
)

// checkPrometheus is what a load of the file does.
func checkPrometheus(text []byte) error {
	p := parser.NewParser(parser.Options{})
	_, errs := rulefmt.Parse(text, false, model.UTF8Validation, p, slog.New(slog.DiscardHandler))
	return errors.Join(errs...)
}

// newEditor edits *.yml in a directory of its own.
func newEditor(t testing.TB, files map[string]string) (e *rulefile.Editor, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return rulefile.New(rulefile.Config{
		Patterns: func() []string { return []string{filepath.Join(dir, "*.yml")} },
		Allowed:  func() bool { return true },
		Check:    checkPrometheus,
	}), dir
}

const plainFile = `# Rules of the trading desk.
groups:
  # Data that is late.
  - name: klines   # by symbol
    interval: 15s
    rules:
      - record: kline:lag:max
        expr: max by (symbol) (kline_lag_seconds)

      # Asked for by the desk, 2026-03.
      - alert: KlineLag     # the name is in runbooks
        expr: kline_lag_seconds > 60   # a minute
        for:   2m
        labels:
          severity: 'page'  # wakes people
          team: "data"
        annotations:
          summary: Klines of {{ $labels.symbol }} are late
          # Where to look.
          runbook: https://wiki/klines

      - alert: Other
        expr: up == 0
`

func change(edit func(*rulefile.Rule)) func(*rulefile.Rule) { return edit }

// TestEditChangesNothingElse compares the lines that differ: all others must be
// the same, byte for byte.
func TestEditChangesNothingElse(t *testing.T) {
	at := rulefile.Place{Group: "klines", Alert: "KlineLag"}
	block := "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |  # why\n      up\n        == 0\n\n    # after\n    for: 1m\n"
	tests := []struct {
		name  string
		text  string
		place rulefile.Place
		edit  func(*rulefile.Rule)
		want  string // the lines of the diff that begin with - or +
	}{
		{
			"threshold", plainFile, at, change(func(r *rulefile.Rule) { r.Expr = "kline_lag_seconds > 90" }),
			"-        expr: kline_lag_seconds > 60   # a minute\n+        expr: kline_lag_seconds > 90   # a minute\n",
		},
		{
			"quotes stay", plainFile, at, change(func(r *rulefile.Rule) { r.Labels["severity"], r.Labels["team"] = "it's", "ops" }),
			"-          severity: 'page'  # wakes people\n-          team: \"data\"\n+          severity: 'it''s'  # wakes people\n+          team: \"ops\"\n",
		},
		{
			"new keys in their place", plainFile, at, change(func(r *rulefile.Rule) { r.KeepFiringFor = "5m"; r.Labels["a"] = "yes" }),
			"+        keep_firing_for: 5m\n+          a: \"yes\"\n",
		},
		{
			"keys that go", plainFile, at, change(func(r *rulefile.Rule) { r.For = ""; delete(r.Annotations, "summary") }),
			"-        for:   2m\n-          summary: Klines of {{ $labels.symbol }} are late\n",
		},
		{
			"all labels go", plainFile, at, change(func(r *rulefile.Rule) { r.Labels = nil }),
			"-        labels:\n-          severity: 'page'  # wakes people\n-          team: \"data\"\n",
		},
		{
			"all labels are others", plainFile, at, change(func(r *rulefile.Rule) { r.Labels = map[string]string{"x": "1"} }),
			"-          severity: 'page'  # wakes people\n-          team: \"data\"\n+          x: \"1\"\n",
		},
		{
			"labels for a rule without", plainFile,
			rulefile.Place{Group: "klines", Alert: "Other"},
			change(func(r *rulefile.Rule) { r.Labels = map[string]string{"severity": "info"} }),
			"+        labels:\n+          severity: info\n",
		},
		{
			"an expression that needs quotes", plainFile,
			rulefile.Place{Group: "klines", Alert: "Other"},
			change(func(r *rulefile.Rule) { r.Expr = `{job="a: b"} == 0 # x` }),
			"-        expr: up == 0\n+        expr: '{job=\"a: b\"} == 0 # x'\n",
		},
		{
			"several lines in one", plainFile,
			rulefile.Place{Group: "klines", Alert: "Other"},
			change(func(r *rulefile.Rule) { r.Expr = "up\n  == 1" }),
			"-        expr: up == 0\n+        expr: |-\n+          up\n+            == 1\n",
		},
		{
			"literal block", block,
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.Expr = "up\n  == 1" }),
			"-        == 0\n+        == 1\n",
		},
		{
			"folded block", strings.Replace(block, "|", ">-", 1),
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.Expr = "up == 2" }),
			"-      up\n-        == 0\n+      up == 2\n",
		},
		{
			"plain text of several lines", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n      == 0\n    for: 1m\n",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.Expr = "up == 1" }),
			"-    expr: up\n-      == 0\n+    expr: up == 1\n",
		},
		{
			"CRLF", strings.ReplaceAll(plainFile, "\n", "\r\n"), at,
			change(func(r *rulefile.Rule) { r.Expr = "kline_lag_seconds > 90"; r.KeepFiringFor = "1m" }),
			"-        expr: kline_lag_seconds > 60   # a minute\r\n+        expr: kline_lag_seconds > 90   # a minute\r\n+        keep_firing_for: 1m\r\n",
		},
		{
			"tabs", "groups:\n- name:\tg\n  rules:\n  - alert:\tA\t# tab\n    expr:\tup == 0\t# tab\n",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.Expr = "up == 1"; r.For = "1m" }),
			"-    expr:\tup == 0\t# tab\n+    expr:\tup == 1\t# tab\n+    for: 1m\n",
		},
		{
			"several documents", "---\n" + plainFile + "---\nother: [1, 2]\n", at, change(func(r *rulefile.Rule) { r.For = "3m" }),
			"-        for:   2m\n+        for:   3m\n",
		},
		{
			"last key before the next document", "groups: [{name: x}]\n...\n---\na: 1\n", rulefile.Place{Group: "x", Alert: "none"}, nil, "",
		},
		{
			"flow style", "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up == 0, labels: {severity: page, team: data}} # one line\n",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.For = "1m"; r.Labels = map[string]string{"severity": "a, b"} }),
			"-  - {alert: A, expr: up == 0, labels: {severity: page, team: data}} # one line\n+  - {alert: A, expr: up == 0, for: 1m, labels: {severity: 'a, b'}} # one line\n",
		},
		{
			"JSON", `{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}]}`,
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.Expr = `up{job="x"} == 0`; r.For = "1m" }),
			`-{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}]}` + "\n" +
				`+{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up{job=\"x\"} == 0", "for": "1m"}]}]}` + "\n",
		},
		{
			"no line end at the end", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.For = "1m" }),
			"-    expr: up\n+    expr: up\n+    for: 1m\n",
		},
		{
			"the first key goes", "groups:\n- name: g\n  rules:\n  - for: 1m\n    alert: A\n    expr: up\n",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.For = "" }),
			"-  - for: 1m\n-    alert: A\n+  - alert: A\n",
		},
		{
			"the second of a name", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up > 1\n  - alert: A\n    expr: up > 2\n",
			rulefile.Place{Group: "g", Alert: "A", Nth: 1},
			change(func(r *rulefile.Rule) { r.Expr = "up > 3" }),
			"-    expr: up > 2\n+    expr: up > 3\n",
		},
		{
			"a value behind an alias", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    for: &wait 1m\n  - alert: B\n    expr: up\n    for: *wait\n",
			rulefile.Place{Group: "g", Alert: "B"},
			change(func(r *rulefile.Rule) { r.For = "2m" }),
			"-    for: *wait\n+    for: 2m\n",
		},
		{
			"an anchor that nobody uses", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    for: &wait 1m\n",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) { r.For = "2m" }),
			"-    for: &wait 1m\n+    for: &wait 2m\n",
		},
		{
			"labels behind an alias", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    labels: &l {a: b}\n  - alert: B\n    expr: up\n    labels: *l\n",
			rulefile.Place{Group: "g", Alert: "B"},
			change(func(r *rulefile.Rule) { r.Labels["a"] = "c" }),
			"-    labels: *l\n+    labels: {a: c}\n",
		},
		{
			"letters of several bytes", "groups:\n- name: g\n  rules:\n  - {alert: Ä, expr: up, annotations: {\"ü\": ö, summary: alt}}\n",
			rulefile.Place{Group: "g", Alert: "Ä"},
			change(func(r *rulefile.Rule) { r.Annotations["summary"] = "neü" }),
			"-  - {alert: Ä, expr: up, annotations: {\"ü\": ö, summary: alt}}\n+  - {alert: Ä, expr: up, annotations: {\"ü\": ö, summary: neü}}\n",
		},
		{
			"no value", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    labels:\n    annotations:\n      summary:\n",
			rulefile.Place{Group: "g", Alert: "A"},
			change(func(r *rulefile.Rule) {
				r.Labels = map[string]string{"a": "b"}
				r.Annotations = map[string]string{"summary": "s"}
			}),
			"-    labels:\n+    labels: {a: b}\n-      summary:\n+      summary: s\n",
		},
		{"nothing", plainFile, at, change(func(*rulefile.Rule) {}), ""},
		{"the rule goes", plainFile, at, nil, "-      - alert: KlineLag     # the name is in runbooks\n-        expr: kline_lag_seconds > 60   # a minute\n" +
			"-        for:   2m\n-        labels:\n-          severity: 'page'  # wakes people\n-          team: \"data\"\n-        annotations:\n" +
			"-          summary: Klines of {{ $labels.symbol }} are late\n-          # Where to look.\n-          runbook: https://wiki/klines\n"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, dir := newEditor(t, map[string]string{"a.yml": tc.text, "b.yml": plainFile})
			tc.place.File = filepath.Join(dir, "a.yml")
			view, err := e.Rule(tc.place)
			if tc.place.Alert == "none" {
				if !errors.Is(err, rulefile.ErrNotFound) {
					t.Fatalf("got error %v, want %v", err, rulefile.ErrNotFound)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			edit := rulefile.Edit{Place: tc.place, Hash: view.Hash}
			if tc.edit != nil {
				to := view.Rule
				tc.edit(&to)
				edit.To = &to
			}
			planned, err := e.Diff(edit)
			if err != nil {
				t.Fatal(err)
			}
			saved, err := e.Save(edit)
			if err != nil {
				t.Fatal(err)
			}
			if saved.Diff != planned.Diff {
				t.Errorf("got another diff when it was saved:\n%s\nthan before:\n%s", saved.Diff, planned.Diff)
			}
			if got := changedLines(saved.Diff); got != tc.want {
				t.Errorf("got changes\n%s\nwant\n%s", got, tc.want)
			}
			got := readFile(t, tc.place.File)
			if want := patched(t, tc.text, saved.Diff); got != want {
				t.Errorf("the file is not what the diff says: %s", cmp.Diff(want, got))
			}
			if other := readFile(t, filepath.Join(dir, "b.yml")); other != plainFile {
				t.Error("a group of the same name in another file has changed")
			}
		})
	}
}

// TestEditsThatTouchMore: what another rule shares is not changed from here.
func TestEditsThatTouchMore(t *testing.T) {
	shared := "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    for: &wait 1m\n    labels: &l {a: b}\n  - alert: B\n    expr: up\n    for: *wait\n    labels: {<<: *l, c: d}\n"
	tests := []struct {
		name  string
		text  string
		alert string
		edit  func(*rulefile.Rule)
		want  error
	}{
		{"value with a used anchor", shared, "A", change(func(r *rulefile.Rule) { r.For = "2m" }), rulefile.ErrByHand},
		{"labels with a used anchor", shared, "A", change(func(r *rulefile.Rule) { r.Labels["a"] = "c" }), rulefile.ErrByHand},
		{"anchor that would go", shared, "A", change(func(r *rulefile.Rule) { r.For = "" }), rulefile.ErrByHand},
		{"rule with an anchor that would go", shared, "A", nil, rulefile.ErrByHand},
		{"merged label that would go", shared, "B", change(func(r *rulefile.Rule) { r.Labels = map[string]string{"c": "d"} }), rulefile.ErrByHand},
		{"bad PromQL", shared, "B", change(func(r *rulefile.Rule) { r.Expr = "up >" }), rulefile.ErrInvalid},
		{"bad duration", shared, "B", change(func(r *rulefile.Rule) { r.For = "soon" }), rulefile.ErrInvalid},
		{"bad label", shared, "B", change(func(r *rulefile.Rule) { r.Labels["__name__"] = "x" }), rulefile.ErrInvalid},
		{"no name", shared, "B", change(func(r *rulefile.Rule) { r.Alert = "" }), rulefile.ErrInvalid},
		{"bad template", shared, "B", change(func(r *rulefile.Rule) { r.Annotations = map[string]string{"a": "{{ nope }}"} }), rulefile.ErrInvalid},
		{"other error in the file", shared + "  - alert: C\n    expr: up >\n", "B", change(func(r *rulefile.Rule) { r.For = "1m" }), rulefile.ErrInvalid},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, dir := newEditor(t, map[string]string{"a.yml": tc.text})
			place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "g", Alert: tc.alert}
			view, err := e.Rule(place)
			if err != nil {
				t.Fatal(err)
			}
			edit := rulefile.Edit{Place: place, Hash: view.Hash}
			if tc.edit != nil {
				to := view.Rule
				tc.edit(&to)
				edit.To = &to
			}
			if change, err := e.Save(edit); !errors.Is(err, tc.want) {
				t.Errorf("got %+v, error %v, want %v", change, err, tc.want)
			}
			if got := readFile(t, place.File); got != tc.text {
				t.Errorf("the file has changed:\n%s", got)
			}
		})
	}
}

func TestFilesThatAreNotForEditing(t *testing.T) {
	e, dir := newEditor(t, map[string]string{"a.yml": plainFile, "secret.txt": plainFile, "broken.yml": "groups: [\x00", "empty.yml": ""})
	for name, want := range map[string]error{
		"secret.txt": rulefile.ErrNotFound, "none.yml": rulefile.ErrNotFound, "x/../a.yml": rulefile.ErrNotFound, "empty.yml": nil, "broken.yml": rulefile.ErrInvalid,
	} {
		_, err := e.Rule(rulefile.Place{File: dir + "/" + name, Group: "klines", Alert: "KlineLag"})
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", name, err, want)
		}
	}
}

// TestSaveAfterSomebodyElse: the text that was edited is gone.
func TestSaveAfterSomebodyElse(t *testing.T) {
	e, dir := newEditor(t, map[string]string{"a.yml": plainFile})
	place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "klines", Alert: "KlineLag"}
	view, err := e.Rule(place)
	if err != nil {
		t.Fatal(err)
	}
	theirs := plainFile + "# mine\n"
	if err := os.WriteFile(place.File, []byte(theirs), 0o640); err != nil {
		t.Fatal(err)
	}
	view.Rule.For = "9m"
	if _, err := e.Save(rulefile.Edit{Place: place, Hash: view.Hash, To: &view.Rule}); !errors.Is(err, rulefile.ErrChanged) {
		t.Errorf("got error %v, want %v", err, rulefile.ErrChanged)
	}
	if got := readFile(t, place.File); got != theirs {
		t.Errorf("their text is gone:\n%s", got)
	}
}

// TestSaveKeepsModeAndLink: a file is replaced where it stands, and nothing else
// is left in its directory.
func TestSaveKeepsModeAndLink(t *testing.T) {
	e, dir := newEditor(t, nil)
	target := filepath.Join(t.TempDir(), "real.yml")
	if err := os.WriteFile(target, []byte(plainFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(target, 0o604); err != nil {
		t.Fatal(err)
	}
	place := rulefile.Place{File: filepath.Join(dir, "link.yml"), Group: "klines", Alert: "Other"}
	if err := os.Symlink(target, place.File); err != nil {
		t.Fatal(err)
	}
	view, err := e.Rule(place)
	if err != nil {
		t.Fatal(err)
	}
	view.Rule.Expr = "up == 1"
	change, err := e.Save(rulefile.Edit{Place: place, Hash: view.Hash, To: &view.Rule})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.Rule(place); err != nil || again.Hash != change.Hash || again.Rule.Expr != "up == 1" {
		t.Errorf("got %+v, %v after a save with the hash %s", again, err, change.Hash)
	}
	if link, err := os.Lstat(place.File); err != nil || link.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", link.Mode(), err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("got mode %v, %v, want 0604", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(target)); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want one file", left, err)
	}
}

func TestSaveIsOffByDefaultAndNeedsPermission(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yml")
	if err := os.WriteFile(file, []byte(plainFile), 0o640); err != nil {
		t.Fatal(err)
	}
	e := rulefile.New(rulefile.Config{
		Patterns: func() []string { return []string{file} },
		Allowed:  func() bool { return false },
		Check:    checkPrometheus,
	})
	place := rulefile.Place{File: file, Group: "klines", Alert: "KlineLag"}
	view, err := e.Rule(place)
	if err != nil || view.Writable || !strings.Contains(view.Reason, "rules.allow_file_edit") {
		t.Fatalf("got %+v, %v, want a file that is not writable", view, err)
	}
	view.Rule.For = "9m"
	edit := rulefile.Edit{Place: place, Hash: view.Hash, To: &view.Rule}
	if change, err := e.Diff(edit); err != nil || !strings.Contains(change.Diff, "+        for:   9m\n") {
		t.Errorf("got %+v, %v, want the diff all the same", change, err)
	}
	if _, err := e.Save(edit); !errors.Is(err, rulefile.ErrReadOnly) {
		t.Errorf("got error %v, want %v", err, rulefile.ErrReadOnly)
	}
	if got := readFile(t, file); got != plainFile {
		t.Error("the file has changed")
	}
}

// FuzzEdit: whatever the file is, an edit that is accepted is exactly that edit.
func FuzzEdit(f *testing.F) {
	f.Add(plainFile, "up > 1", "it's")
	f.Add("groups:\n- name: klines\n  rules:\n  - {alert: KlineLag, expr: 'a', labels: {\"team\": b}}\n", "{a=\"b\"}", "a, b")
	f.Add("groups:\n- name: klines\n  rules:\n  - alert: KlineLag\n    expr: >2-\n        a\n\n       b\n    labels:\n      team: |\n        x\n", "up\n+ 1", "#")
	f.Fuzz(func(t *testing.T, text, expr, label string) {
		e, dir := newEditor(t, map[string]string{"a.yml": text})
		place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "klines", Alert: "KlineLag"}
		view, err := e.Rule(place)
		if err != nil {
			return
		}
		to := view.Rule
		to.Expr, to.Labels = expr, map[string]string{"team": label, "new": label}
		change, err := e.Diff(rulefile.Edit{Place: place, Hash: view.Hash, To: &to})
		if err != nil {
			return
		}
		if err := os.WriteFile(place.File, []byte(patched(t, text, change.Diff)), 0o640); err != nil {
			t.Fatal(err)
		}
		after, err := e.Rule(place)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range to.Labels {
			if strings.TrimRight(after.Rule.Labels[name], "\n") != strings.TrimRight(value, "\n") {
				t.Errorf("got label %q = %q, want %q", name, after.Rule.Labels[name], value)
			}
		}
	})
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func changedLines(diff string) string {
	var b strings.Builder
	for i, line := range strings.SplitAfter(diff, "\n") {
		if i >= 2 && line != "" && strings.ContainsRune("+-", rune(line[0])) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// patched does what patch(1) does, and trusts nothing.
func patched(t testing.TB, text, diff string) string {
	t.Helper()
	if diff == "" {
		return text
	}
	old := strings.SplitAfter(text, "\n")
	var out strings.Builder
	at := 0
	lines := strings.SplitAfter(diff, "\n")[2:]
	for i, line := range lines {
		if line == "" {
			continue
		}
		body := line[1:]
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], `\`) {
			body = strings.TrimSuffix(body, "\n")
		}
		switch line[0] {
		case '@':
			fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("@ -+,\n", r) })
			from, err := strconv.Atoi(fields[0])
			if err != nil {
				t.Fatalf("hunk %q: %v", line, err)
			}
			count, _ := strconv.Atoi(fields[1])
			if count > 0 {
				from--
			}
			for ; at < from; at++ {
				out.WriteString(old[at])
			}
			if newFrom, _ := strconv.Atoi(fields[2]); newFrom < 1 && fmt.Sprint(fields[3]) != "0" {
				t.Errorf("hunk %q begins before the first line", line)
			}
		case ' ', '-':
			if at >= len(old) || old[at] != body {
				t.Fatalf("the diff has %q in line %d, the file does not", body, at+1)
			}
			if line[0] == ' ' {
				out.WriteString(body)
			}
			at++
		case '+':
			out.WriteString(body)
		}
	}
	for ; at < len(old); at++ {
		out.WriteString(old[at])
	}
	return out.String()
}
