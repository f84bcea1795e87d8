package rulefile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ruleKeys are the keys of an alerting rule, in the order in which files have them.
var ruleKeys = []string{"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}

// splice puts text in the place of the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

func apply(text []byte, splices []splice) []byte {
	var out []byte
	at := 0
	for _, s := range splices {
		out = append(append(out, text[at:s.start]...), s.text...)
		at = s.end
	}
	return append(out, text[at:]...)
}

// planner gathers the splices of an edit.
type planner struct {
	*source
	used    map[*yaml.Node]bool // nodes that aliases refer to
	splices []splice
}

// plan returns the splices that turn a rule into what it shall be, in the order
// of the file.
func plan(text []byte, edit Edit) ([]splice, error) {
	if edit.New {
		return planNew(text, edit)
	}
	doc, f, err := locate(text, edit.Place)
	if err != nil {
		return nil, err
	}
	p := &planner{source: newSource(text), used: aliased(doc, map[*yaml.Node]bool{})}
	for _, n := range f.path {
		if n.Kind == yaml.AliasNode {
			return nil, fmt.Errorf("the rule stands behind the alias *%s: %w", n.Value, ErrByHand)
		}
		if p.used[n] {
			return nil, fmt.Errorf("the rule is shared by the anchor &%s: %w", n.Anchor, ErrByHand)
		}
	}
	if edit.To == nil {
		err = p.removeRule(f)
	} else {
		err = p.changeRule(f, *edit.To)
	}
	slices.SortStableFunc(p.splices, func(a, b splice) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	for i := 1; i < len(p.splices); i++ {
		if p.splices[i].start < p.splices[i-1].end {
			return nil, ErrByHand
		}
	}
	return p.splices, err
}

func (p *planner) changeRule(f found, to Rule) error {
	texts := []struct{ key, was, is string }{
		{"alert", f.rule.Alert, to.Alert},
		{"expr", f.rule.Expr, to.Expr},
		{"for", f.rule.For, to.For},
		{"keep_firing_for", f.rule.KeepFiringFor, to.KeepFiringFor},
	}
	for _, t := range texts {
		if sameText(t.was, t.is) {
			continue
		}
		if err := p.setText(f.node, t.key, t.is, ruleKeys); err != nil {
			return fmt.Errorf("%s: %w", t.key, err)
		}
	}
	for _, m := range []struct {
		key     string
		was, is map[string]string
	}{{"labels", f.rule.Labels, to.Labels}, {"annotations", f.rule.Annotations, to.Annotations}} {
		if maps.EqualFunc(m.was, m.is, sameText) {
			continue
		}
		if err := p.setMap(f.node, m.key, m.was, m.is); err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	return nil
}

// setText gives a key of a mapping a value; the empty one takes the key away.
// A new key stands after those that come before it in order.
func (p *planner) setText(mapping *yaml.Node, key, value string, order []string) error {
	e, ok := entryOf(mapping, key)
	switch {
	case !ok:
		return p.add(mapping, predecessor(mapping, key, order), key, value)
	case value == "":
		return p.remove(mapping, e)
	}
	return p.setValue(mapping, e, value)
}

func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

func (p *planner) setValue(mapping *yaml.Node, e entry, value string) error {
	if p.used[e.value] {
		return fmt.Errorf("the value is shared by the anchor &%s: %w", e.value.Anchor, ErrByHand)
	}
	indent := p.column(p.start(e.key))
	end, err := p.entryEnd(e, isFlow(mapping))
	if err != nil {
		return err
	}
	if isNothing(e.value) {
		text, err := render(scalar{value: value, flow: isFlow(mapping), indent: indent + 2, eol: p.eol})
		p.splices = append(p.splices, splice{end, end, " " + text})
		return err
	}
	if e.value.Kind != yaml.ScalarNode && e.value.Kind != yaml.AliasNode {
		return ErrByHand
	}
	start := p.value(e.value)
	s := scalar{value: value, style: e.value.Style, flow: isFlow(mapping), indent: indent + 2, eol: p.eol}
	if e.value.Kind == yaml.ScalarNode && e.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		s.header = string(p.text[start:p.lineEnd(start)])
		for line := p.line(start) + 1; line < len(p.lines); line++ {
			if !p.blank(line) {
				s.indent = p.indent(line)
				break
			}
		}
		if strings.HasSuffix(e.value.Value, "\n") && !strings.HasSuffix(value, "\n") {
			s.value += "\n"
		}
	}
	text, err := render(s)
	p.splices = append(p.splices, splice{start, end, text})
	return err
}

// predecessor is the entry after which a new key belongs; without an order the
// last one.
func predecessor(mapping *yaml.Node, key string, order []string) entry {
	all := entries(mapping)
	if order == nil {
		return all[len(all)-1]
	}
	place := slices.Index(order, key)
	after := all[0]
	for _, e := range all {
		if i := slices.Index(order, e.key.Value); i >= 0 && i < place {
			after = e
		}
	}
	return after
}

// add puts a key with a text after an entry of a mapping.
func (p *planner) add(mapping *yaml.Node, after entry, key, value string) error {
	indent := p.column(p.start(after.key))
	style := after.key.Style & yaml.DoubleQuotedStyle // As JSON has it.
	text, err := render(scalar{value: value, style: style, flow: isFlow(mapping), indent: indent + 2, eol: p.eol})
	if err != nil {
		return err
	}
	return p.insert(mapping, after, renderKey(key, after.key)+": "+text)
}

func (p *planner) insert(mapping *yaml.Node, after entry, text string) error {
	end, err := p.entryEnd(after, isFlow(mapping))
	if err != nil {
		return err
	}
	if isFlow(mapping) {
		p.splices = append(p.splices, splice{end, end, ", " + text})
		return nil
	}
	// After the comment at the end of the line, too.
	indent, next := p.column(p.start(after.key)), p.nextLine(end)
	text = strings.Repeat(" ", indent) + text + p.eol
	if next == len(p.text) && p.lineEnd(end) == next { // The file's last line has no end.
		text = p.eol + strings.TrimSuffix(text, p.eol)
	}
	p.splices = append(p.splices, splice{next, next, text})
	return nil
}

// remove takes an entry out of a mapping that has others.
func (p *planner) remove(mapping *yaml.Node, e entry) error {
	if p.holdsAnchor(e.value) {
		return fmt.Errorf("the value is shared by an anchor: %w", ErrByHand)
	}
	all := entries(mapping)
	at := slices.Index(all, e)
	if at < 0 || len(all) == 1 {
		return ErrByHand
	}
	start := p.start(e.key)
	if isFlow(mapping) {
		return p.removeFlow(all, at)
	}
	end, err := p.entryEnd(e, false)
	if err != nil {
		return err
	}
	line := p.lines[p.line(start)]
	if strings.TrimLeft(string(p.text[line:start]), " ") == "" {
		p.splices = append(p.splices, splice{line, p.nextLine(end), ""})
		return nil
	}
	// The first key, behind the dash of its rule: the next one takes its place.
	if at != 0 || !p.lineDone(end) {
		return ErrByHand
	}
	next := p.start(all[1].key)
	if strings.TrimSpace(string(p.text[end:next])) != "" {
		return fmt.Errorf("a comment stands in the way: %w", ErrByHand)
	}
	p.splices = append(p.splices, splice{start, next, ""})
	return nil
}

func (p *planner) removeFlow(all []entry, at int) error {
	start := p.start(all[at].key)
	if at+1 < len(all) {
		p.splices = append(p.splices, splice{start, p.start(all[at+1].key), ""})
		return nil
	}
	before, err := p.entryEnd(all[at-1], true)
	if err != nil {
		return err
	}
	end, err := p.entryEnd(all[at], true)
	p.splices = append(p.splices, splice{before, end, ""})
	return err
}

// holdsAnchor is whether aliases refer to a node or to anything in it.
func (p *planner) holdsAnchor(n *yaml.Node) bool {
	return p.used[n] || n.Kind != yaml.AliasNode && slices.ContainsFunc(n.Content, p.holdsAnchor)
}

// setMap turns the labels or annotations of a rule into others.
func (p *planner) setMap(rule *yaml.Node, key string, was, is map[string]string) error {
	e, ok := entryOf(rule, key)
	switch {
	case !ok:
		return p.addMap(rule, key, is)
	case len(is) == 0:
		return p.remove(rule, e)
	case e.value.Kind != yaml.MappingNode || len(e.value.Content) == 0:
		return p.putFlowMap(rule, e, is)
	case p.used[e.value]:
		return fmt.Errorf("they are shared by the anchor &%s: %w", e.value.Anchor, ErrByHand)
	}
	names := slices.Sorted(maps.Keys(is))
	removed := 0
	for _, own := range entries(e.value) {
		if _, stays := is[own.key.Value]; stays || own.key.Tag == "!!merge" {
			continue
		}
		removed++
	}
	if removed > 0 && (removed == len(entries(e.value)) || removed > 1 && isFlow(e.value)) {
		return p.rewriteMap(rule, e, is)
	}
	for _, own := range entries(e.value) {
		value, stays := is[own.key.Value]
		var err error
		switch {
		case own.key.Tag == "!!merge":
		case !stays:
			err = p.remove(e.value, own)
		case !sameText(was[own.key.Value], value):
			err = p.setValue(e.value, own, value)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", own.key.Value, err)
		}
	}
	return p.addNew(e, names, was, is)
}

// addNew adds the labels that the mapping lacks, after its last entry that stays.
func (p *planner) addNew(e entry, names []string, was, is map[string]string) error {
	after := entry{}
	for _, own := range entries(e.value) {
		if _, stays := is[own.key.Value]; stays || own.key.Tag == "!!merge" {
			after = own
		}
	}
	for _, name := range names {
		old, had := was[name]
		_, own := entryOf(e.value, name)
		if own || had && old == is[name] {
			continue // A merge key may bring it.
		}
		if err := p.add(e.value, after, name, is[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// rewriteMap puts labels in the place of others of which too little stays.
func (p *planner) rewriteMap(rule *yaml.Node, e entry, is map[string]string) error {
	if p.holdsAnchor(e.value) {
		return fmt.Errorf("they are shared by an anchor: %w", ErrByHand)
	}
	if isFlow(e.value) {
		return p.putFlowMap(rule, e, is)
	}
	start, end := p.start(e.value), 0
	end, err := p.end(e.value, p.column(p.start(e.key)), false)
	if err != nil {
		return err
	}
	text, err := p.blockMap(is, p.column(start), entries(e.value)[0].key)
	p.splices = append(p.splices, splice{start, end, strings.TrimLeft(text, " ")})
	return err
}

// putFlowMap writes labels as {name: value} in the place of an alias, of such a
// map, or of nothing.
func (p *planner) putFlowMap(rule *yaml.Node, e entry, is map[string]string) error {
	if p.used[e.value] {
		return fmt.Errorf("they are shared by the anchor &%s: %w", e.value.Anchor, ErrByHand)
	}
	text, err := flowMap(is, e.key)
	if err != nil {
		return err
	}
	end, err := p.entryEnd(e, isFlow(rule))
	if isNothing(e.value) {
		p.splices = append(p.splices, splice{end, end, " " + text})
		return err
	}
	p.splices = append(p.splices, splice{p.value(e.value), end, text})
	return err
}

// addMap adds labels to a rule that has none.
func (p *planner) addMap(rule *yaml.Node, key string, is map[string]string) error {
	after := predecessor(rule, key, ruleKeys)
	if isFlow(rule) {
		text, err := flowMap(is, after.key)
		if err != nil {
			return err
		}
		return p.insert(rule, after, renderKey(key, after.key)+": "+text)
	}
	text, err := p.blockMap(is, p.column(p.start(after.key))+2, after.key)
	if err != nil {
		return err
	}
	return p.insert(rule, after, renderKey(key, after.key)+":"+p.eol+text)
}

func (p *planner) blockMap(is map[string]string, indent int, like *yaml.Node) (string, error) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(is)) {
		text, err := render(scalar{value: is[name], indent: indent + 2, eol: p.eol})
		if err != nil {
			return "", err
		}
		lines = append(lines, strings.Repeat(" ", indent)+renderKey(name, like)+": "+text)
	}
	return strings.Join(lines, p.eol), nil
}

// removeRule takes the lines of a rule away. Comments above it stay.
func (p *planner) removeRule(f found) error {
	rules := f.path[len(f.path)-2]
	if isFlow(rules) || p.holdsAnchor(f.node) {
		return ErrByHand
	}
	end, err := p.end(f.node, p.column(p.start(f.node)), false)
	if err != nil {
		return err
	}
	start := p.lines[p.line(p.start(f.node))]
	if strings.TrimSpace(string(p.text[start:p.start(f.node)])) != "-" {
		return ErrByHand
	}
	p.splices = append(p.splices, splice{start, p.nextLine(end), ""})
	return nil
}
