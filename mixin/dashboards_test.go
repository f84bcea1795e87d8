package mixin_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/grafana"
	"github.com/hedgewatch/hedgewatch/mixin"
)

func dashboards(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := fs.Glob(mixin.Dashboards(), "*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("got dashboards %v, error %v; want some", names, err)
	}
	texts := map[string][]byte{}
	for _, name := range names {
		text, err := fs.ReadFile(mixin.Dashboards(), name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = text
	}
	return texts
}

func TestDashboardsAreSound(t *testing.T) {
	all := dashboards(t)
	uid := map[string]bool{}
	for name := range all {
		uid[strings.TrimSuffix(name, ".json")] = true
	}
	for name, text := range all {
		for _, problem := range grafana.Check(text, parser.NewParser(parser.Options{})) {
			t.Errorf("%s: %v", name, problem)
		}
		d, err := grafana.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if d.UID+".json" != name {
			t.Errorf("%s: got uid %q, want the file's name", name, d.UID)
		}
		for _, link := range regexp.MustCompile(`"/d/([\w-]+)`).FindAllStringSubmatch(string(text), -1) {
			if !uid[link[1]] {
				t.Errorf("%s: links to dashboard %s, which is not shipped", name, link[1])
			}
		}
	}
}

// A misspelt metric makes a panel that is always empty.
func TestDashboardsSelectExistingMetrics(t *testing.T) {
	known := knownMetrics(t)
	for _, r := range loadRules(t) {
		known[r.Record] = true
	}
	for _, planned := range readLines(t, "testdata/planned-metrics.txt") {
		if known[planned] {
			t.Errorf("%s is exported now; take it off testdata/planned-metrics.txt", planned)
		}
		known[planned] = true
	}
	for name, text := range dashboards(t) {
		d, err := grafana.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range d.Expressions() {
			metrics, err := grafana.Metrics(parser.NewParser(parser.Options{}), e.Text)
			if err != nil {
				t.Errorf("%s: %s: %v", name, e.Where, err)
			}
			for _, m := range metrics {
				if !known[m] {
					t.Errorf("%s: %s selects %s, which nothing exports", name, e.Where, m)
				}
			}
		}
	}
}

// readLines returns the lines of a file that are not comments.
func readLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(string(text), ""))
}

func TestDashboardsAreThoseOfTheGenerator(t *testing.T) {
	dir := t.TempDir()
	generate := exec.Command("go", "run", "./generate", dir)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("go run ./generate: %v\n%s", err, out)
	}
	written := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		written[filepath.Base(path)] = text
	}
	if diff := cmp.Diff(written, dashboards(t)); diff != "" {
		t.Errorf("run `make generate` (-generated +committed):\n%s", diff)
	}
}
