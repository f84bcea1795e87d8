package rulefile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is a group with the nodes that lead to it.
type place struct {
	top, groups, group *yaml.Node
	rules              entry
	index              int
}

// locateGroup finds a group in the first document.
func locateGroup(text []byte, name string) (*yaml.Node, place, error) {
	doc, top, err := firstDocument(text)
	if err != nil {
		return nil, place{}, err
	}
	groups := valueOf(top, "groups")
	for i, group := range items(groups) {
		if textOf(valueOf(group, "name")) == name {
			rules, _ := entryOf(group, "rules")
			return doc, place{top: top, groups: groups, group: group, rules: rules, index: i}, nil
		}
	}
	return nil, place{}, fmt.Errorf("group %q: %w in the file as it is now", name, ErrNotFound)
}

// planNew returns the splice that puts a rule at the end of a group.
func planNew(text []byte, edit Edit) ([]splice, error) {
	doc, g, err := locateGroup(text, edit.Group)
	if err != nil {
		return nil, err
	}
	p := &planner{source: newSource(text), used: aliased(doc, map[*yaml.Node]bool{})}
	for _, n := range []*yaml.Node{g.top, g.groups, g.group, g.rules.value} {
		if n != nil && (n.Kind == yaml.AliasNode || p.used[n]) {
			return nil, fmt.Errorf("the group is shared by an anchor: %w", ErrByHand)
		}
	}
	rules := g.rules.value
	switch {
	case isFlow(g.group):
		return nil, fmt.Errorf("the group stands within brackets: %w", ErrByHand)
	case rules == nil:
		all := entries(g.group)
		last := all[len(all)-1]
		lines, err := p.newRule(*edit.To, p.column(p.start(last.key))+2)
		if err != nil {
			return nil, err
		}
		err = p.insert(g.group, last, "rules:"+p.eol+lines)
		return p.splices, err
	case len(rules.Content) > 0 && isFlow(rules):
		return nil, fmt.Errorf("the rules stand within brackets: %w", ErrByHand)
	case len(rules.Content) > 0:
		return p.afterLast(rules.Content, *edit.To)
	}
	// Empty: nothing after the colon, or [].
	lines, err := p.newRule(*edit.To, p.column(p.start(g.rules.key))+2)
	if err != nil {
		return nil, err
	}
	colon, err := p.entryEnd(entry{g.rules.key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}}, false)
	if err != nil {
		return nil, err
	}
	end, err := p.entryEnd(g.rules, false)
	if err != nil {
		return nil, err
	}
	if !p.lineDone(end) {
		return nil, fmt.Errorf("a comment stands behind the empty list: %w", ErrByHand)
	}
	return []splice{{colon, end, p.eol + lines}}, nil
}

// afterLast puts a rule below the last one, as far from it as that is from the one
// before.
func (p *planner) afterLast(rules []*yaml.Node, to Rule) ([]splice, error) {
	last := rules[len(rules)-1]
	start := p.start(last)
	first := p.line(start)
	before := string(p.text[p.lines[first]:start])
	if strings.Trim(before, " -") != "" || strings.Count(before, "-") != 1 {
		return nil, ErrByHand
	}
	end, err := p.end(last, p.column(start), false)
	if err != nil {
		return nil, err
	}
	lines, err := p.newRule(to, strings.IndexByte(before, '-'))
	if err != nil {
		return nil, err
	}
	if len(rules) > 1 && p.blank(first-1) {
		lines = p.eol + lines
	}
	next := p.nextLine(end)
	if next == len(p.text) && p.lineEnd(end) == next { // The file's last line has no end.
		return []splice{{next, next, p.eol + lines}}, nil
	}
	return []splice{{next, next, lines + p.eol}}, nil
}

// newRule renders a rule as an entry of a list whose dash stands at indent.
func (p *planner) newRule(to Rule, indent int) (string, error) {
	pad, plain := strings.Repeat(" ", indent+2), &yaml.Node{}
	var lines []string
	for _, t := range []struct{ key, is string }{
		{"alert", to.Alert}, {"expr", to.Expr}, {"for", to.For}, {"keep_firing_for", to.KeepFiringFor},
	} {
		if t.is == "" {
			continue
		}
		text, err := render(scalar{value: t.is, indent: indent + 4, eol: p.eol})
		if err != nil {
			return "", fmt.Errorf("%s: %w", t.key, err)
		}
		lines = append(lines, pad+t.key+": "+text)
	}
	for _, m := range []struct {
		key string
		is  map[string]string
	}{{"labels", to.Labels}, {"annotations", to.Annotations}} {
		if len(m.is) == 0 {
			continue
		}
		text, err := p.blockMap(m.is, indent+4, plain)
		if err != nil {
			return "", fmt.Errorf("%s: %w", m.key, err)
		}
		lines = append(lines, pad+m.key+":"+p.eol+text)
	}
	text := strings.Join(lines, p.eol)
	return pad[:indent] + "- " + strings.TrimLeft(text, " "), nil
}

// verifyNew holds an addition to its promise: the group has the rule at its end,
// and nothing else means anything different.
func verifyNew(before, after []byte, edit Edit) error {
	old, err := documents(before)
	if err != nil {
		return err
	}
	now, err := documents(after)
	if err != nil {
		return fmt.Errorf("the rule cannot be added here (%w): %w", err, ErrByHand)
	}
	_, g, err := locateGroup(before, edit.Group)
	if err != nil {
		return err
	}
	f := found{group: g.index, index: len(items(g.rules.value))}
	extra, err := takeRule(now, f, true)
	if err != nil || len(extra) > 0 || !sameRule(after, f, *edit.To) {
		return fmt.Errorf("the rule cannot be added here: %w", ErrByHand)
	}
	for _, docs := range [][]any{old, now} {
		noRules(docs, g.index)
	}
	if !reflect.DeepEqual(old, now) {
		return fmt.Errorf("the rule cannot be added without touching more than its group: %w", ErrByHand)
	}
	return nil
}

// noRules lets a list without an entry be as good as none.
func noRules(docs []any, index int) {
	top, _ := docs[0].(map[string]any)
	groups, _ := top["groups"].([]any)
	if index >= len(groups) {
		return // takeRule has said so.
	}
	group, _ := groups[index].(map[string]any)
	if rules, _ := group["rules"].([]any); len(rules) == 0 {
		group = maps.Clone(group)
		delete(group, "rules")
		groups = slices.Clone(groups)
		groups[index] = group
		top["groups"] = groups
	}
}
