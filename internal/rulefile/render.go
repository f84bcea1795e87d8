package rulefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalar is a text that is to be written into a YAML file.
type scalar struct {
	value string
	// style and header are those of the text that it replaces: how it was quoted,
	// and what a block began with.
	style  yaml.Style
	header string
	flow   bool
	// indent is that of a block's lines.
	indent int
	eol    string
}

// render writes the scalar as the one before it was, if its value allows that.
func render(s scalar) (string, error) {
	lines := strings.Contains(strings.TrimRight(s.value, "\n"), "\n")
	block := s.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	quoted := s.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
	if !s.flow && (block || lines && !quoted) && canBlock(s.value) {
		return s.block(lines), nil
	}
	n := &yaml.Node{}
	if err := n.Encode(s.value); err != nil { // Quotes what older parsers take for a boolean, too.
		return "", err
	}
	switch {
	case lines || strings.HasSuffix(s.value, "\n"):
		n.Style = yaml.DoubleQuotedStyle
	case quoted:
		n.Style = s.style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
	}
	if !s.flow {
		text, err := yaml.Marshal(n)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	// What needs quotes within brackets shows within brackets.
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{n}}
	text, err := yaml.Marshal(list)
	if err != nil {
		return "", err
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(string(text), "["), "]\n")
	if strings.Contains(inner, "\n") {
		return "", fmt.Errorf("a text of several lines within brackets: %w", ErrByHand)
	}
	return inner, nil
}

// canBlock is whether a value can stand in a block without more ado.
func canBlock(value string) bool {
	trimmed := strings.TrimRight(value, "\n")
	return trimmed != "" && trimmed[0] != ' ' && trimmed[0] != '\n' && trimmed[0] != '\t' &&
		len(value)-len(trimmed) <= 1 && !strings.ContainsAny(value, "\r\u0085\u2028\u2029\ufeff")
}

func (s scalar) block(lines bool) string {
	header := s.header
	if header == "" {
		header = "|"
	}
	word, comment, _ := strings.Cut(header, " ")
	if word[0] == '>' && lines { // Folding would join the lines.
		word = "|" + word[1:]
	}
	word = strings.Trim(word, "+-")
	if !strings.HasSuffix(s.value, "\n") {
		word += "-"
	}
	if comment != "" {
		word += " " + comment
	}
	pad := strings.Repeat(" ", s.indent)
	for line := range strings.SplitSeq(strings.TrimSuffix(s.value, "\n"), "\n") {
		word += s.eol
		if line != "" {
			word += pad + line
		}
	}
	return word
}

// renderKey writes a key, in double quotes if the others are.
func renderKey(key string, like *yaml.Node) string {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Style: like.Style & yaml.DoubleQuotedStyle}
	text, err := yaml.Marshal(n)
	if err != nil { // A string always has a form.
		return fmt.Sprintf("%q", key)
	}
	return strings.TrimSuffix(string(text), "\n")
}

func flowMap(values map[string]string, like *yaml.Node) (string, error) {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, err := render(scalar{value: values[name], flow: true, style: like.Style & yaml.DoubleQuotedStyle})
		if err != nil {
			return "", err
		}
		pairs = append(pairs, renderKey(name, like)+": "+text)
	}
	return "{" + strings.Join(pairs, ", ") + "}", nil
}
