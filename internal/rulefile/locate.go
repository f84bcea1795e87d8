package rulefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// found is a rule with the nodes that lead to it.
type found struct {
	rule Rule
	node *yaml.Node
	// path are the nodes from the top to the rule.
	path []*yaml.Node
	// group and index say which of the lists' entries it is.
	group, index int
}

// firstDocument is the only one that Prometheus reads.
func firstDocument(text []byte) (doc, top *yaml.Node, err error) {
	doc = &yaml.Node{}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(doc); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(doc.Content) > 0 {
		return doc, doc.Content[0], nil
	}
	return doc, doc, nil
}

// locate finds a rule in the first document.
func locate(text []byte, p Place) (*yaml.Node, found, error) {
	doc, top, err := firstDocument(text)
	if err != nil {
		return nil, found{}, err
	}
	groups := valueOf(top, "groups")
	for g, group := range items(groups) {
		if textOf(valueOf(group, "name")) != p.Group {
			continue
		}
		rules, nth := valueOf(group, "rules"), 0
		for i, node := range items(rules) {
			if textOf(valueOf(node, "alert")) != p.Alert || p.Alert == "" {
				continue
			}
			if nth == p.Nth {
				f := found{node: node, path: []*yaml.Node{top, groups, group, rules, node}, group: g, index: i}
				if err := node.Decode(&f.rule); err != nil {
					return nil, found{}, fmt.Errorf("%w: %w", ErrInvalid, err)
				}
				return doc, f, nil
			}
			nth++
		}
	}
	return nil, found{}, fmt.Errorf("rule %q of the group %q: %w in the file as it is now", p.Alert, p.Group, ErrNotFound)
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func items(n *yaml.Node) []*yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// entry is a key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

func entries(n *yaml.Node) []entry {
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	all := make([]entry, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, entry{n.Content[i], n.Content[i+1]})
	}
	return all
}

func entryOf(n *yaml.Node, key string) (entry, bool) {
	for _, e := range entries(n) {
		if e.key.Value == key {
			return e, true
		}
	}
	return entry{}, false
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	e, _ := entryOf(n, key)
	return e.value
}

func textOf(n *yaml.Node) string {
	if n = resolve(n); n == nil {
		return ""
	}
	return n.Value
}

// aliased returns the anchors that are in use.
func aliased(n *yaml.Node, into map[*yaml.Node]bool) map[*yaml.Node]bool {
	if n.Kind == yaml.AliasNode {
		into[n.Alias] = true
	}
	for _, child := range n.Content {
		aliased(child, into)
	}
	return into
}

// verify holds an edit to its promise: the rule is what it shall be, and nothing
// else means anything different. What the scanner of this package misreads ends
// here, before it does harm.
func verify(before, after []byte, edit Edit) error {
	if edit.New {
		return verifyNew(before, after, edit)
	}
	old, err := documents(before)
	if err != nil {
		return err
	}
	now, err := documents(after)
	if err != nil {
		return fmt.Errorf("this change cannot be made without touching more than the rule (%w): %w", err, ErrByHand)
	}
	_, f, err := locate(before, edit.Place)
	if err != nil {
		return err
	}
	extra, err := takeRule(old, f, true)
	if err != nil {
		return err
	}
	if edit.To != nil {
		rest, err := takeRule(now, f, false)
		if err != nil || !reflect.DeepEqual(rest, extra) || !sameRule(after, f, *edit.To) {
			return fmt.Errorf("this change cannot be made without touching more than the rule: %w", ErrByHand)
		}
		if _, err := takeRule(now, f, true); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(old, now) {
		return fmt.Errorf("this change cannot be made without touching more than the rule: %w", ErrByHand)
	}
	return nil
}

func documents(text []byte) (all []any, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc any
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		all = append(all, doc)
	}
}

// takeRule returns the keys of a rule that this package does not know, and with
// remove takes the rule out of its list.
func takeRule(docs []any, f found, remove bool) (map[string]any, error) {
	top, _ := docs[0].(map[string]any)
	groups, _ := top["groups"].([]any)
	if f.group >= len(groups) {
		return nil, ErrByHand
	}
	group, _ := groups[f.group].(map[string]any)
	rules, _ := group["rules"].([]any)
	if f.index >= len(rules) {
		return nil, ErrByHand
	}
	rule, _ := rules[f.index].(map[string]any)
	extra := maps.Clone(rule)
	for _, key := range ruleKeys {
		delete(extra, key)
	}
	if remove {
		left := append(append([]any{}, rules[:f.index]...), rules[f.index+1:]...)
		group["rules"] = left
		if len(left) == 0 {
			group["rules"] = nil // As the file has it without an entry.
		}
	}
	return extra, nil
}

func sameRule(text []byte, f found, want Rule) bool {
	var file struct{ Groups []struct{ Rules []yaml.Node } }
	if err := yaml.Unmarshal(text, &file); err != nil || f.group >= len(file.Groups) || f.index >= len(file.Groups[f.group].Rules) {
		return false
	}
	var got Rule
	if err := file.Groups[f.group].Rules[f.index].Decode(&got); err != nil {
		return false
	}
	return sameText(got.Alert, want.Alert) && sameText(got.Expr, want.Expr) && sameText(got.For, want.For) &&
		sameText(got.KeepFiringFor, want.KeepFiringFor) &&
		maps.EqualFunc(got.Labels, want.Labels, sameText) && maps.EqualFunc(got.Annotations, want.Annotations, sameText)
}

// sameText takes no notice of the line end that a block of YAML has and a field
// of a page has not.
func sameText(a, b string) bool { return strings.TrimRight(a, "\n") == strings.TrimRight(b, "\n") }
