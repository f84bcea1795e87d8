package mixin_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
)

var inhibitBlock = regexp.MustCompile("(?s)```yaml\n(inhibit_rules:\n.*?)```")

// The recommended inhibitions are copied into configurations, so they have to
// load, and to name alerts that exist.
func TestReadmeInhibitionsAreValid(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := inhibitBlock.FindSubmatch(readme)
	if block == nil {
		t.Fatal("README.md has no inhibit_rules")
	}
	config, err := amconfig.Load("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n" + string(block[1]))
	if err != nil {
		t.Fatal(err)
	}
	alerts := loadAlerts(t)
	raised := map[string]bool{"DataMissing": true} // By the program, see docs/rules.md.
	for _, rule := range config.InhibitRules {
		for _, m := range append(rule.SourceMatchers, rule.TargetMatchers...) {
			if m.Name != "alertname" {
				continue
			}
			for _, name := range strings.Split(m.Value, "|") {
				if alerts[name] == nil && !raised[name] {
					t.Errorf("inhibit_rules name alert %s, which does not exist", name)
				}
			}
		}
	}
}

func TestReadmeListsEachRuleFile(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\n%d alerts", len(loadAlerts(t))); !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not say %q", strings.TrimSpace(want))
	}
	for _, r := range loadRules(t) {
		if !strings.Contains(string(readme), "| `"+r.file+"` |") {
			t.Errorf("README.md does not list %s", r.file)
		}
	}
}
