package mixin_test

import (
	"bufio"
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"

	"github.com/hedgewatch/hedgewatch/mixin"
)

const runbookBase = "https://github.com/hedgewatch/hedgewatch/blob/main/docs/runbooks/"

// rule is a rule and the file that it stands in.
type rule struct {
	rulefmt.Rule
	file string
}

// loadRules parses every shipped file as Prometheus does.
func loadRules(t *testing.T) []rule {
	t.Helper()
	names, err := fs.Glob(mixin.Rules(), "*.yml")
	if err != nil || len(names) == 0 {
		t.Fatalf("got rule files %v, error %v; want some", names, err)
	}
	var rules []rule
	for _, name := range names {
		content, err := fs.ReadFile(mixin.Rules(), name)
		if err != nil {
			t.Fatal(err)
		}
		groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		if len(errs) > 0 {
			t.Fatalf("parse %s: %v", name, errs)
		}
		for _, group := range groups.Groups {
			if group.Interval == 0 {
				t.Errorf("%s: group %s has no interval; name one, so that alerts are as fast everywhere", name, group.Name)
			}
			for _, r := range group.Rules {
				rules = append(rules, rule{Rule: r, file: name})
			}
		}
	}
	return rules
}

// loadAlerts returns the alerting rules by alert name.
func loadAlerts(t *testing.T) map[string][]rule {
	t.Helper()
	alerts := map[string][]rule{}
	for _, r := range loadRules(t) {
		if r.Alert != "" {
			alerts[r.Alert] = append(alerts[r.Alert], r)
		}
	}
	return alerts
}

func TestAlertsSayWhatAPersonNeeds(t *testing.T) {
	for name, variants := range loadAlerts(t) {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			for _, r := range variants {
				if !slices.Contains([]string{"critical", "warning", "info", "none"}, r.Labels["severity"]) {
					t.Errorf("got severity %q, want critical, warning, info or none", r.Labels["severity"])
				}
				// Two rules that could make the same alert would overwrite each other.
				if key := labels.FromMap(r.Labels).String(); seen[key] {
					t.Errorf("two rules have labels %s; add one that tells them apart", key)
				} else {
					seen[key] = true
				}
				keys := slices.Sorted(maps.Keys(r.Annotations))
				if diff := cmp.Diff([]string{"description", "runbook_url", "summary"}, keys); diff != "" {
					t.Errorf("annotations differ (-want +got):\n%s", diff)
				}
				if got, want := r.Annotations["runbook_url"], runbookBase+name+".md"; got != want {
					t.Errorf("got runbook_url %q, want %q", got, want)
				}
				for key, text := range r.Annotations {
					if err := expand(text); err != nil {
						t.Errorf("expand %s of %v: %v", key, r.Labels, err)
					}
				}
			}
		})
	}
}

// expand runs an annotation's template as the rule manager does, for an alert
// that has none of the labels.
func expand(text string) error {
	data := template.AlertTemplateData(map[string]string{}, nil, "", promql.Sample{F: 1})
	_, err := template.NewTemplateExpander(context.Background(), "{{$labels := .Labels}}{{$value := .Value}}"+text,
		"annotation", data, 0, nil, &url.URL{}, nil).Expand()
	return err
}

// A misspelt metric makes an alert that never fires, and a rule test that
// misspells it too does not notice.
func TestRulesSelectExistingMetrics(t *testing.T) {
	known := knownMetrics(t)
	for _, r := range loadRules(t) {
		known[r.Record] = true
	}
	for _, r := range loadRules(t) {
		for _, name := range selectedMetrics(t, r.Expr) {
			if !known[name] {
				t.Errorf("%s: %s%s selects %s, which nothing exports", r.file, r.Alert, r.Record, name)
			}
		}
	}
}

// selectedMetrics returns the metric names in expr, those of an alternation
// such as {__name__=~"a|b"} included.
func selectedMetrics(t *testing.T, expr string) []string {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("parse %q: %v", expr, err)
	}
	var names []string
	for _, matchers := range parser.ExtractSelectors(parsed) {
		for _, m := range matchers {
			if m.Name == model.MetricNameLabel {
				names = append(names, strings.Split(m.Value, "|")...)
			}
		}
	}
	return names
}

var ownMetric = regexp.MustCompile(`"(hedgewatch_[a-z_]+)"`)

// knownMetrics collects the names in testdata/metrics, and ours from the source.
func knownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	lists, err := filepath.Glob("testdata/metrics/*.txt")
	if err != nil || len(lists) == 0 {
		t.Fatalf("got lists %v, error %v; want some", lists, err)
	}
	for _, list := range lists {
		f, err := os.Open(list)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if !strings.HasPrefix(lines.Text(), "#") {
				known[lines.Text()] = true
			}
		}
	}
	add := func(name string) {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			known[name+suffix] = true // As if each were a histogram: only misspellings matter here.
		}
	}
	err = filepath.WalkDir("../internal", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range ownMetric.FindAllSubmatch(source, -1) {
			add(string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// A test of instrument compares its table with what it exports.
	table, err := os.ReadFile("../instrument/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (?:counter|gauge|histogram)").FindAllSubmatch(table, -1) {
		add(string(m[1]))
	}
	return known
}
