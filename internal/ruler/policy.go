package ruler

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Our extensions to the rule format are annotations, so that a rule file stays
// valid for Prometheus. docs/rules.md describes them to users.
const (
	annotationPrefix   = "hedgewatch_"
	noDataAnnotation   = "hedgewatch_no_data"
	recoveryAnnotation = "hedgewatch_recovery"
	throttleAnnotation = "hedgewatch_throttle"
	// flappingAnnotation is for package intake; only its value is checked here.
	flappingAnnotation = "hedgewatch_flapping"
	// valueAnnotation tells package intake the value of an alert that is sent. No
	// rule may set it.
	valueAnnotation = "hedgewatch_value"
)

// noData says what an alert does when its data is gone.
type noData string

const (
	noDataOK   noData = "ok"   // It resolves, as in Prometheus.
	noDataKeep noData = "keep" // It goes on firing.
	noDataFire noData = "fire" // It goes on firing, and what is gone is an incident.
)

// policy is what a rule asks for beyond Prometheus' rule format.
type policy struct {
	noData noData
	// recovery is the condition that ends the alert; nil means that the end of
	// the rule's own condition does.
	recovery parser.Expr
	// evidence has a result for every series that the condition could be
	// decided for; nil if the rule's expression has no such form.
	evidence parser.Expr
}

// policyOf reads the policy from a rule's annotations. It is nil if the rule is
// as any other, and every error is about one annotation.
func policyOf(annotations map[string]string, expr string, p parser.Parser) (*policy, []error) {
	pol := policy{noData: noDataOK}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		text := annotations[name]
		var err error
		switch name {
		case noDataAnnotation:
			pol.noData = noData(text)
			if !slices.Contains([]noData{noDataOK, noDataKeep, noDataFire}, pol.noData) {
				err = fmt.Errorf("%q is not a policy; use ok, keep or fire", text)
			}
		case recoveryAnnotation:
			pol.recovery, err = p.ParseExpr(text)
			if err == nil && pol.recovery.Type() != parser.ValueTypeVector {
				err = fmt.Errorf("the result is a %s; use an expression with an instant vector", parser.DocumentedType(pol.recovery.Type()))
			}
		case throttleAnnotation:
			_, err = parseThrottle(text)
		case flappingAnnotation:
			if text != "on" && text != "off" {
				err = fmt.Errorf("%q is neither on nor off", text)
			}
		default:
			if strings.HasPrefix(name, annotationPrefix) {
				err = fmt.Errorf("unknown; known are %s, %s, %s and %s", noDataAnnotation, recoveryAnnotation, flappingAnnotation, throttleAnnotation)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("annotation %s: %w", name, err))
		}
	}
	if len(errs) > 0 || pol.noData == noDataOK && pol.recovery == nil {
		return nil, errs
	}
	// The expression was parsed before, and once more for a copy to change.
	condition, err := p.ParseExpr(expr)
	if err != nil {
		return nil, []error{err}
	}
	pol.evidence, err = evidence(condition)
	if err != nil && pol.noData != noDataOK {
		return nil, []error{fmt.Errorf("annotation %s: %w", noDataAnnotation, err)}
	}
	return &pol, nil
}

// checkPolicies returns every error of our annotations in groups.
func checkPolicies(groups *rulefmt.RuleGroups, p parser.Parser) []error {
	var errs []error
	for _, g := range groups.Groups {
		for i, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			_, bad := policyOf(r.Annotations, r.Expr, p)
			for _, err := range bad {
				errs = append(errs, fmt.Errorf("group %q, rule %d, %q: %w", g.Name, i+1, r.Alert, err))
			}
		}
	}
	return errs
}

// ParseFile parses a rule file and checks it as a start of the program would.
func ParseFile(text []byte, scheme model.ValidationScheme, p parser.Parser, logger *slog.Logger) (*rulefmt.RuleGroups, []error) {
	groups, errs := rulefmt.Parse(text, false, scheme, p, logger)
	if len(errs) == 0 {
		errs = checkPolicies(groups, p)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return groups, nil
}
