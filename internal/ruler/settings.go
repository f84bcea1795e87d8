package ruler

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// Settings are the `rules` section of the configuration: what Prometheus' rule
// files have no place for.
type Settings struct {
	// AllowFileEdit lets editors change the rules of rule_files from the page.
	AllowFileEdit bool            `yaml:"allow_file_edit,omitempty"`
	Groups        []GroupSettings `yaml:"groups,omitempty"`
}

// GroupSettings are about the rule groups of one name.
type GroupSettings struct {
	// Name of the group, and the name or path of its file if several files have
	// a group of that name.
	Name string `yaml:"name"`
	File string `yaml:"file,omitempty"`
	// Throttle is the least pause between evaluations that samples cause and no
	// plain threshold judges. Zero is the default, a second.
	Throttle model.Duration `yaml:"throttle,omitempty"`
}

// maxThrottle is where a schedule is what is meant.
const maxThrottle = time.Hour

// Validate reports what is wrong with the settings by themselves.
func (s Settings) Validate() error {
	var errs []error
	for i, g := range s.Groups {
		if g.Name == "" {
			errs = append(errs, fmt.Errorf("rules.groups[%d].name: missing; give the name of a rule group", i))
		}
		if t := time.Duration(g.Throttle); t < 0 || t > maxThrottle {
			errs = append(errs, fmt.Errorf("rules.groups[%d].throttle: %v is not between 1ms and %v", i, t, maxThrottle))
		}
	}
	return errors.Join(errs...)
}

// UnknownGroups returns the settings that are about no group of the rule files,
// by their index: a misspelt name would go unseen.
func UnknownGroups(cfg Config, p parser.Parser) ([]int, error) {
	set, err := newLoader(p, slog.New(slog.DiscardHandler)).read(cfg)
	if err != nil {
		return nil, err
	}
	var unknown []int
	for i, g := range cfg.Settings.Groups {
		if !g.in(set) {
			unknown = append(unknown, i)
		}
	}
	return unknown, nil
}

func (g GroupSettings) in(set *ruleSet) bool {
	for file, groups := range set.files {
		if slices.ContainsFunc(groups.Groups, func(r rulefmt.RuleGroup) bool { return g.about(file, r.Name) }) {
			return true
		}
	}
	return false
}

// String names the group.
func (g GroupSettings) String() string {
	if g.File == "" {
		return fmt.Sprintf("a group %q", g.Name)
	}
	return fmt.Sprintf("a group %q in %q", g.Name, g.File)
}

func (g GroupSettings) about(file, name string) bool {
	return g.Name == name && (g.File == "" || g.File == file || g.File == filepath.Base(file))
}

// parseThrottle reads a rule's annotation.
func parseThrottle(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 || time.Duration(d) > maxThrottle {
		return 0, fmt.Errorf("%q is not a duration between 1ms and %v, such as 250ms", text, maxThrottle)
	}
	return time.Duration(d), nil
}

// throttle is the pause for a group. The last settings that are about it win;
// without any, the rule does that asks for the least.
func (s Settings) throttle(group *rules.Group) time.Duration {
	var asked time.Duration
	for _, rule := range group.AlertingRules() {
		// The loader has refused what is wrong.
		if d, err := parseThrottle(rule.Annotations().Get(throttleAnnotation)); err == nil && (asked == 0 || d < asked) {
			asked = d
		}
	}
	pause := cmp.Or(asked, defaultThrottle)
	for _, g := range s.Groups {
		if g.Throttle > 0 && g.about(group.File(), group.Name()) {
			pause = time.Duration(g.Throttle)
		}
	}
	return pause
}
