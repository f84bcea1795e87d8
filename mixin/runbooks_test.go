package mixin_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const runbooks = "../docs/runbooks"

var update = flag.Bool("update", false, "rewrite docs/runbooks/README.md")

var (
	heading     = regexp.MustCompile(`(?m)^## .*$`)
	promqlBlock = regexp.MustCompile("(?s)```promql\n(.*?)```")
	localLink   = regexp.MustCompile(`\]\(([^):]+\.md)\)`)
	meaning     = regexp.MustCompile(`(?s)## Meaning\n\n(.*?\.)\s`)
)

func TestEachAlertHasARunbook(t *testing.T) {
	alerts := loadAlerts(t)
	known := knownMetrics(t)
	for _, r := range loadRules(t) {
		known[r.Record] = true
	}
	for name := range alerts {
		t.Run(name, func(t *testing.T) {
			text := readRunbook(t, name)
			if !strings.HasPrefix(text, "# "+name+"\n") {
				t.Errorf("the runbook does not begin with %q", "# "+name)
			}
			want := []string{"## Meaning", "## Impact", "## First look", "## Remedy"}
			if diff := cmp.Diff(want, heading.FindAllString(text, -1)); diff != "" {
				t.Errorf("sections differ (-want +got):\n%s", diff)
			}
			if !strings.Contains(text, "```") {
				t.Error("the first look has no query and no command")
			}
			for _, block := range promqlBlock.FindAllStringSubmatch(text, -1) {
				for query := range strings.Lines(block[1]) {
					for _, metric := range selectedMetrics(t, query) {
						if !known[metric] && !known[strings.TrimSuffix(metric, "_bucket")] {
							t.Errorf("query %q selects %s, which nothing exports", query, metric)
						}
					}
				}
			}
			for _, link := range localLink.FindAllStringSubmatch(text, -1) {
				if _, err := os.Stat(filepath.Join(runbooks, link[1])); err != nil {
					t.Errorf("broken link: %v", err)
				}
			}
		})
	}
}

func TestNoRunbookIsAnOrphan(t *testing.T) {
	alerts := loadAlerts(t)
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".md"); name != "README" && alerts[name] == nil {
			t.Errorf("%s belongs to no alert; delete it", file)
		}
	}
}

func TestRunbookIndexIsCurrent(t *testing.T) {
	got := runbookIndex(t)
	file := filepath.Join(runbooks, "README.md")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is out of date; run go test ./mixin -update (-want +got):\n%s", file, diff)
	}
}

// runbookIndex lists each alert once, under the worst severity that it can have.
func runbookIndex(t *testing.T) string {
	t.Helper()
	alerts := loadAlerts(t)
	names := slices.Sorted(maps.Keys(alerts))
	var b strings.Builder
	b.WriteString(`# Runbooks

What to do when an alert fires: what it means, what it costs, where to look first,
how to end it. ` + "`db1:9100`, `10.0.0.7:4000`, `balancer` and `/var/lib/hedgewatch`" + ` stand for the
instance, service and data directory in question. This list is made from the rules
in [mixin](../../mixin/README.md) by ` + "`go test ./mixin -update`" + `.
`)
	for _, section := range []struct{ severity, title string }{
		{"critical", "Critical: act now"},
		{"warning", "Warning: look today"},
		{"info", "Info: good to know"},
		{"none", "None: always there"},
	} {
		listed := false
		for _, name := range names {
			severities := map[string]bool{}
			for _, r := range alerts[name] {
				severities[r.Labels["severity"]] = true
			}
			if !severities[section.severity] || section.severity != "critical" && severities["critical"] {
				continue
			}
			if !listed {
				fmt.Fprintf(&b, "\n## %s\n\n", section.title)
				listed = true
			}
			also := ""
			if section.severity == "critical" && severities["warning"] {
				also = " (also as a warning)"
			}
			fmt.Fprintf(&b, "- [%s](%s.md)%s: %s\n", name, name, also, firstSentence(t, name))
		}
	}
	return b.String()
}

// firstSentence returns what a runbook says first about the alert's meaning.
func firstSentence(t *testing.T, name string) string {
	t.Helper()
	m := meaning.FindStringSubmatch(readRunbook(t, name))
	if m == nil {
		t.Fatalf("runbook %s has no first sentence", name)
	}
	return m[1]
}

func readRunbook(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(runbooks, name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
