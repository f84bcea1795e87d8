package ruler

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// shippedPrefix marks the names of shipped rule files in the API. A path of the
// configuration cannot start with it.
const shippedPrefix = "shipped:"

// ruleSet holds the parsed rule files of one configuration, by name.
type ruleSet struct {
	files map[string]*rulefmt.RuleGroups
	order []string
}

func (s *ruleSet) names() []string { return s.order }

func (s *ruleSet) add(name string, groups *rulefmt.RuleGroups) {
	if _, ok := s.files[name]; !ok {
		s.order = append(s.order, name)
	}
	s.files[name] = groups
}

// loader reads rule files before the rule manager asks for them: whatever can
// fail fails while the former rules are still live.
//
// It implements rules.GroupLoader.
type loader struct {
	parser parser.Parser
	logger *slog.Logger
	set    atomic.Pointer[ruleSet]
}

func newLoader(p parser.Parser, logger *slog.Logger) *loader {
	return &loader{parser: p, logger: logger}
}

// Load returns the groups of a file of the current set.
func (l *loader) Load(name string, _ bool, _ model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	groups, ok := l.set.Load().files[name]
	if !ok {
		return nil, []error{fmt.Errorf("rule file %q was not read before", name)}
	}
	return groups, nil
}

// Parse parses a rule's expression.
func (l *loader) Parse(query string) (parser.Expr, error) { return l.parser.ParseExpr(query) }

// read parses every rule file of cfg and reports all errors.
func (l *loader) read(cfg Config) (*ruleSet, error) {
	set := &ruleSet{files: map[string]*rulefmt.RuleGroups{}}
	scheme := cfg.Prometheus.GlobalConfig.MetricNameValidationScheme
	var errs []error
	for _, pattern := range cfg.Prometheus.RuleFiles {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule_files: %q: %w", pattern, err))
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				errs = append(errs, fmt.Errorf("rule_files: %w", err))
				continue
			}
			errs = append(errs, l.parseInto(set, path, text, scheme)...)
		}
	}
	errs = append(errs, l.readShipped(set, cfg.Shipped, scheme)...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return set, nil
}

func (l *loader) parseInto(set *ruleSet, name string, text []byte, scheme model.ValidationScheme) []error {
	groups, errs := ParseFile(text, scheme, l.parser, l.logger)
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", name, err)
	}
	if len(errs) == 0 {
		set.add(name, groups)
	}
	return errs
}

// readShipped adds the shipped rules less the disabled ones.
func (l *loader) readShipped(set *ruleSet, s Shipped, scheme model.ValidationScheme) []error {
	if s.Files == nil {
		return nil
	}
	unused := map[string]bool{}
	for _, name := range s.Disable {
		unused[name] = true
	}
	disabled := func(name string) bool {
		delete(unused, name)
		return slices.Contains(s.Disable, name)
	}
	paths, err := fs.Glob(s.Files, "*.yml")
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, path := range paths {
		text, err := fs.ReadFile(s.Files, path)
		if err != nil {
			return []error{err}
		}
		name := shippedPrefix + path
		errs = append(errs, l.parseInto(set, name, text, scheme)...)
		if groups := set.files[name]; groups != nil {
			removeRules(groups, disabled)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		errs = append(errs, fmt.Errorf("mixin.disable: %q is the name of no shipped rule or group", name))
	}
	return errs
}

// removeRules removes the groups and rules that are disabled.
func removeRules(groups *rulefmt.RuleGroups, disabled func(name string) bool) {
	groups.Groups = slices.DeleteFunc(groups.Groups, func(g rulefmt.RuleGroup) bool { return disabled(g.Name) })
	for i := range groups.Groups {
		g := &groups.Groups[i]
		g.Rules = slices.DeleteFunc(g.Rules, func(r rulefmt.Rule) bool {
			return r.Alert != "" && disabled(r.Alert) || r.Record != "" && disabled(r.Record)
		})
	}
	groups.Groups = slices.DeleteFunc(groups.Groups, func(g rulefmt.RuleGroup) bool { return len(g.Rules) == 0 })
}
