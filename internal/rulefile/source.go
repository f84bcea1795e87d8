package rulefile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// source finds the bytes of a YAML node, of which the parser tells only where
// they begin.
type source struct {
	text  []byte
	lines []int // where each line begins
	eol   string
}

func newSource(text []byte) *source {
	s := &source{text: text, lines: []int{0}, eol: "\n"}
	for i := 0; i < len(text); {
		n := breakAt(text[i:])
		if n == 0 {
			i++
			continue
		}
		i += n
		s.lines = append(s.lines, i)
	}
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		s.eol = "\r\n"
	}
	return s
}

// breakAt is how long the line break at the start of text is. YAML 1.1 knows
// more of them than editors do.
func breakAt(text []byte) int {
	switch {
	case len(text) == 0:
		return 0
	case bytes.HasPrefix(text, []byte("\r\n")), bytes.HasPrefix(text, []byte("\u0085")):
		return 2
	case text[0] == '\n', text[0] == '\r':
		return 1
	case bytes.HasPrefix(text, []byte("\u2028")), bytes.HasPrefix(text, []byte("\u2029")):
		return 3
	}
	return 0
}

// start is where a node begins; the parser counts columns in characters.
func (s *source) start(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(s.lines) {
		return len(s.text)
	}
	at := s.lines[n.Line-1]
	if at == 0 && bytes.HasPrefix(s.text, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	for range n.Column - 1 {
		if at >= len(s.text) {
			break
		}
		_, size := utf8.DecodeRune(s.text[at:])
		at += size
	}
	return at
}

// line is the index of the line that a byte is in.
func (s *source) line(at int) int {
	i, exact := slices.BinarySearch(s.lines, at)
	if exact {
		return i
	}
	return i - 1
}

// lineEnd is where the line of a byte ends, before its break.
func (s *source) lineEnd(at int) int {
	for at < len(s.text) && breakAt(s.text[at:]) == 0 {
		at++
	}
	return at
}

// nextLine is where the line after that of a byte begins.
func (s *source) nextLine(at int) int {
	end := s.lineEnd(at)
	return end + breakAt(s.text[end:])
}

// indent is how far a line is from the margin.
func (s *source) indent(line int) int {
	at := s.lines[line]
	n := 0
	for at+n < len(s.text) && s.text[at+n] == ' ' {
		n++
	}
	return n
}

func (s *source) blank(line int) bool {
	at := s.lines[line]
	return len(bytes.TrimLeft(s.text[at:s.lineEnd(at)], " \t")) == 0
}

// column is how far a byte is from the start of its line.
func (s *source) column(at int) int { return at - s.lines[s.line(at)] }

// value is where the content of a scalar begins, after its anchor and its tag.
func (s *source) value(n *yaml.Node) int {
	at := s.start(n)
	for at < len(s.text) && (s.text[at] == '&' || s.text[at] == '!') {
		for at < len(s.text) && !isSpace(s.text[at]) {
			at++
		}
		for at < len(s.text) && (s.text[at] == ' ' || s.text[at] == '\t') {
			at++
		}
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// end is where a node's bytes end. In a block, indent is the column of the key
// that the node belongs to; in a flow mapping, flow is true.
func (s *source) end(n *yaml.Node, indent int, flow bool) (int, error) {
	at := s.value(n)
	switch {
	case n.Kind == yaml.AliasNode:
		for at < len(s.text) && !isSpace(s.text[at]) && !strings.ContainsRune(",}]", rune(s.text[at])) {
			at++
		}
		return at, nil
	case n.Kind == yaml.ScalarNode:
		return s.scalarEnd(n, at, indent, flow)
	case n.Style&yaml.FlowStyle != 0:
		return s.flowEnd(at)
	case len(n.Content) == 0:
		return 0, fmt.Errorf("an empty block: %w", ErrByHand)
	case n.Kind == yaml.MappingNode:
		all := entries(n)
		return s.entryEnd(all[len(all)-1], false)
	}
	last := n.Content[len(n.Content)-1]
	return s.end(last, s.column(s.start(last)), false)
}

// entryEnd is where a key with its value ends.
func (s *source) entryEnd(e entry, flow bool) (int, error) {
	indent := s.column(s.start(e.key))
	if isNothing(e.value) {
		end, err := s.end(e.key, indent, true)
		if err != nil {
			return 0, err
		}
		colon := bytes.IndexByte(s.text[end:], ':')
		if colon < 0 {
			return 0, ErrByHand
		}
		return end + colon + 1, nil
	}
	return s.end(e.value, indent, flow)
}

// isNothing is whether a key has no value at all, not even a word for it.
func isNothing(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == ""
}

func (s *source) scalarEnd(n *yaml.Node, at, indent int, flow bool) (int, error) {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return s.quoteEnd(at, '"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return s.quoteEnd(at, '\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.blockEnd(at, indent), nil
	}
	return s.plainEnd(at, indent, flow), nil
}

func (s *source) quoteEnd(at int, quote byte) (int, error) {
	if at >= len(s.text) || s.text[at] != quote {
		return 0, ErrByHand
	}
	for i := at + 1; i < len(s.text); i++ {
		switch {
		case quote == '"' && s.text[i] == '\\':
			i++
		case s.text[i] != quote:
		case quote == '\'' && i+1 < len(s.text) && s.text[i+1] == quote:
			i++
		default:
			return i + 1, nil
		}
	}
	return 0, ErrByHand
}

// blockEnd is the end of the last line of a literal or folded block. Empty lines
// after it belong to nobody.
func (s *source) blockEnd(at, indent int) int {
	first, end := s.line(at)+1, s.lineEnd(at)
	content := -1
	for line := first; line < len(s.lines); line++ {
		if s.blank(line) {
			continue
		}
		if content < 0 {
			content = s.indent(line)
		}
		if content <= indent || s.indent(line) < content {
			break
		}
		end = s.lineEnd(s.lines[line])
	}
	return end
}

// plainEnd is the end of a scalar without quotes, which may go on in further
// lines; no comment may stand within it.
func (s *source) plainEnd(at, indent int, flow bool) int {
	end := s.plainLineEnd(at, flow)
	for line := s.line(at) + 1; line < len(s.lines) && s.lineDone(end); line++ {
		begin := s.lines[line] + s.indent(line)
		if s.blank(line) {
			continue
		}
		if s.text[begin] == '#' || !flow && s.indent(line) <= indent {
			break
		}
		next := s.plainLineEnd(begin, flow)
		if next == begin {
			break
		}
		end = next
	}
	return end
}

// lineDone is whether nothing follows in the line, not even a comment.
func (s *source) lineDone(at int) bool {
	return len(bytes.TrimLeft(s.text[at:s.lineEnd(at)], " \t")) == 0
}

func (s *source) plainLineEnd(at int, flow bool) int {
	end := at
	for i := at; i < len(s.text) && breakAt(s.text[i:]) == 0; i++ {
		c := s.text[i]
		next := byte('\n')
		if i+1 < len(s.text) {
			next = s.text[i+1]
		}
		switch {
		case c == '#' && i > at && isSpace(s.text[i-1]):
			return end
		case c == ':' && (isSpace(next) || flow && strings.ContainsRune(",[]{}", rune(next))):
			return end
		case flow && strings.ContainsRune(",[]{}", rune(c)):
			return end
		case !isSpace(c):
			end = i + 1
		}
	}
	return end
}

// flowEnd finds the bracket that closes the one at a place.
func (s *source) flowEnd(at int) (int, error) {
	depth := 0
	for i := at; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		// A quote within a plain scalar is one of its letters.
		case (c == '"' || c == '\'') && strings.ContainsRune(" \t\r\n,:[{", rune(s.text[i-1])):
			end, err := s.quoteEnd(i, c)
			if err != nil {
				return 0, err
			}
			i = end - 1
		case c == '#' && isSpace(s.text[i-1]):
			i = s.lineEnd(i)
		}
	}
	return 0, ErrByHand
}
