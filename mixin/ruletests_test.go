package mixin_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// unitTests is the part of promtool's unit test format that is checked here.
type unitTests struct {
	Tests []struct {
		Name       string `yaml:"name"`
		AlertTests []struct {
			Alertname string `yaml:"alertname"`
			ExpAlerts []struct {
				Labels map[string]string `yaml:"exp_labels"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// A test is named "<Alert>: <what it shows>, <the case>".
var testName = regexp.MustCompile(`^(\w+): (fires|silent|absent)\b`)

func TestEachAlertIsTested(t *testing.T) {
	alerts := loadAlerts(t)
	shown := map[string]map[string]bool{}     // By alert: fires, silent, absent.
	fired := map[string][]map[string]string{} // By alert: the labels of those expected to fire.
	for _, file := range ruleTests(t) {
		if strings.HasSuffix(file, "recording_test.yml") {
			continue // There are no alerts in it.
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tests unitTests
		if err := yaml.Unmarshal(content, &tests); err != nil {
			t.Fatalf("parse %s: %v", file, err)
		}
		for _, test := range tests.Tests {
			name := testName.FindStringSubmatch(test.Name)
			if name == nil || alerts[name[1]] == nil {
				t.Errorf("%s: test %q is not named like \"TargetDown: fires, one of two is down\"", file, test.Name)
				continue
			}
			alert, kind := name[1], name[2]
			if shown[alert] == nil {
				shown[alert] = map[string]bool{}
			}
			shown[alert][kind] = true
			firing := 0
			for _, at := range test.AlertTests {
				if at.Alertname != alert {
					t.Errorf("%s: test %q looks at %s", file, test.Name, at.Alertname)
				}
				firing += len(at.ExpAlerts)
				for _, exp := range at.ExpAlerts {
					fired[alert] = append(fired[alert], exp.Labels)
				}
			}
			if len(test.AlertTests) == 0 || kind == "fires" && firing == 0 || kind == "silent" && firing > 0 {
				t.Errorf("%s: test %q expects %d alerts in %d evaluations", file, test.Name, firing, len(test.AlertTests))
			}
		}
	}
	for alert, variants := range alerts {
		for _, kind := range []string{"fires", "silent", "absent"} {
			// What always fires has no silent case.
			if !shown[alert][kind] && !(kind == "silent" && variants[0].Labels["severity"] == "none") {
				t.Errorf("%s has no test %q", alert, kind)
			}
		}
		for _, r := range variants {
			if !anyContains(fired[alert], r.Labels) {
				t.Errorf("%s with labels %v is not seen to fire in any test", alert, r.Labels)
			}
		}
	}
}

// anyContains says whether one of sets has all of want.
func anyContains(sets []map[string]string, want map[string]string) bool {
	for _, set := range sets {
		missing := 0
		for k, v := range want {
			if set[k] != v {
				missing++
			}
		}
		if missing == 0 {
			return true
		}
	}
	return false
}

func ruleTests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("rules_test/*_test.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got rule tests %v, error %v; want some", files, err)
	}
	return files
}

// TestPromtoolAccepts runs the real promtool over rules and rule tests. `make
// tools` builds it; PROMTOOL names another one.
func TestPromtoolAccepts(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		promtool = "../.cache/bin/promtool"
	}
	if _, err := os.Stat(promtool); errors.Is(err, os.ErrNotExist) {
		if os.Getenv("REALPARTS") == "require" {
			t.Fatalf("no promtool at %s; run make tools, or set PROMTOOL", promtool)
		}
		t.Skipf("no promtool at %s; run make tools, or set PROMTOOL", promtool)
	}
	rules, err := filepath.Glob("rules/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"check": append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, rules...),
		"test":  append([]string{"test", "rules"}, ruleTests(t)...),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			if out, err := exec.CommandContext(ctx, promtool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", name, err, out)
			}
		})
	}
}
