package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxCopies bounds the values that the aliases of a file can expand to.
const maxCopies = 100_000

// node is one value of a YAML file, with its aliases expanded and everything
// needed to say where it stands.
type node struct {
	parent *node
	// file is set on the root.
	file string
	// key is the name in a mapping, index the place in a sequence.
	key   scalar
	index int
	// line is where a person would look: the line of the key, or that of the
	// value if it is a scalar.
	line int

	kind kind
	// tag is an explicit YAML tag; most nodes have none.
	tag      string
	scalar   scalar
	children []*node
	// source is shared by the copies that aliases make.
	source *yaml.Node

	// written is the scalar as the file has it if it held references to
	// secrets, which scalar.text no longer does.
	written string

	// hidden nodes are left out of what render writes.
	hidden bool
	// hurt says that a part of this node was found wrong and is hidden.
	hurt bool
}

type kind int

const (
	scalarKind kind = iota
	mappingKind
	sequenceKind
)

// scalar is a key or a value; a plain one may mean a number, a boolean or null.
type scalar struct {
	text  string
	plain bool
	tag   string
}

// path names the node from the root of its file: scrape_configs[1].job_name.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.parent.kind == sequenceKind:
		return n.parent.path() + "[" + strconv.Itoa(n.index) + "]"
	case n.key.text == "":
		return n.parent.path() + `[""]`
	case n.parent.parent == nil:
		return n.key.text
	default:
		return n.parent.path() + "." + n.key.text
	}
}

func (n *node) root() *node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// get returns the value at a path of mapping keys, or nil. It also looks into
// merged mappings (`<<: *base`).
func (n *node) get(keys ...string) *node {
	for _, key := range keys {
		if n = n.child(key); n == nil {
			return nil
		}
	}
	return n
}

func (n *node) child(key string) *node {
	var merged *node
	for _, c := range n.children {
		switch {
		case c.hidden:
		case n.kind == mappingKind && c.key.text == key:
			return c
		case n.kind == mappingKind && c.key.text == "<<", n.kind == sequenceKind && n.key.text == "<<":
			if found := c.child(key); found != nil {
				merged = found
			}
		}
	}
	return merged
}

// isNull says that the file gives no value, as `key:` does.
func (n *node) isNull() bool {
	switch n.scalar.text {
	case "", "~", "null", "Null", "NULL":
		return n.kind == scalarKind && n.scalar.plain && n.tag == ""
	}
	return false
}

// walk calls visit for n and everything below it that is not hidden.
func (n *node) walk(visit func(*node)) {
	if n == nil || n.hidden {
		return
	}
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
}

// hide takes a wrong node out of the tree, so that the rest can be checked.
func (n *node) hide() {
	n.hidden = true
	for p := n.parent; p != nil; p = p.parent {
		p.hurt = true
	}
}

// yamlLine is how the YAML libraries begin a message about a line.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (?s)(.*)$`)

// parse reads one YAML document. The tree is nil if the file is empty or not
// YAML at all; errors that leave a usable tree (repeated keys) come with it.
func parse(file string, text []byte) (*node, Errors) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, Errors{syntaxError(file, text, err)}
	}
	switch err = dec.Decode(&next); {
	case errors.Is(err, io.EOF), err == nil && next.Content[0].ShortTag() == "!!null":
	case err == nil:
		return nil, Errors{{File: file, Line: next.Content[0].Line, Err: errors.New(
			"a second YAML document begins here; put everything into one document, without ---")}}
	default:
		e := syntaxError(file, text, err)
		e.Err = fmt.Errorf("after the first YAML document: %w", e.Err)
		return nil, Errors{e}
	}

	b := builder{file: file, open: map[*yaml.Node]bool{}}
	root := b.build(doc.Content[0], &node{file: file})
	if b.copies >= maxCopies {
		return nil, b.errs
	}
	if root.isNull() {
		return nil, b.errs
	}
	if root.kind != mappingKind {
		b.errs = append(b.errs, Error{File: file, Line: root.line, Err: errors.New(
			"the file must be a mapping of keys to values, such as `global:`")})
		return nil, b.errs
	}
	return root, b.errs
}

func syntaxError(file string, text []byte, err error) Error {
	e := Error{File: file, Err: fmt.Errorf("not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1]) // The expression matches digits only.
		e.Err = fmt.Errorf("not valid YAML: %s; look at this line and the one before it", m[2])
	} else if !utf8.Valid(text) {
		valid := bytes.ToValidUTF8(text, []byte{0xff})
		e.Line = 1 + bytes.Count(valid[:bytes.IndexByte(valid, 0xff)], []byte("\n"))
		e.Err = errors.New("not valid YAML: this line is not UTF-8 text")
	}
	return e
}

// builder turns the YAML library's nodes into ours.
type builder struct {
	file string
	errs Errors
	// aliases counts the aliases around the current value, copies the values
	// that there are because of aliases.
	aliases, copies int
	// open are the nodes being built, to find aliases that contain themselves.
	open map[*yaml.Node]bool
}

func (b *builder) fail(n *node, format string, args ...any) {
	b.errs = append(b.errs, Error{File: b.file, Line: n.line, Key: n.path(), Err: fmt.Errorf(format, args...)})
	n.hide()
}

// build fills n, which has its place in the tree, with the value y.
func (b *builder) build(y *yaml.Node, n *node) *node {
	if y.Kind == yaml.AliasNode {
		b.aliases++
		defer func() { b.aliases-- }()
		y = y.Alias
	}
	n.source = y
	if n.line == 0 || y.Kind == yaml.ScalarNode && y.Value != "" {
		n.line = y.Line
	}
	if b.aliases > 0 {
		b.copies++
	}
	switch {
	case b.copies > maxCopies:
		return n // Reported.
	case b.copies == maxCopies:
		b.fail(n, "the aliases of this file expand to more than %d values; write them out or use scrape_config_files", maxCopies)
		b.copies++
		return n
	case b.open[y]:
		b.fail(n, "this alias contains itself; write the value out")
		return n
	}
	b.open[y] = true
	defer delete(b.open, y)

	if y.Style&yaml.TaggedStyle != 0 {
		n.tag = y.Tag
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = mappingKind
		b.mapping(y, n)
	case yaml.SequenceNode:
		n.kind = sequenceKind
		for i, c := range y.Content {
			n.children = append(n.children, b.build(c, &node{parent: n, index: i}))
		}
	default:
		n.scalar = scalarOf(y)
	}
	return n
}

func (b *builder) mapping(y *yaml.Node, n *node) {
	first := make(map[string]int, len(y.Content)/2) // key → line
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, keyLine := y.Content[i], y.Content[i].Line
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		child := b.build(y.Content[i+1], &node{parent: n, key: scalarOf(k), line: keyLine})
		n.children = append(n.children, child)
		line, repeated := first[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode:
			b.fail(child, "a key must be a single word, not a list or a mapping")
		case repeated && k.Value != "<<":
			b.fail(child, "the key is already given in line %d; keep one of them", line)
		default:
			first[k.Value] = keyLine
		}
	}
}

func scalarOf(y *yaml.Node) scalar {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	s := scalar{text: y.Value, plain: y.Style&quoted == 0}
	if y.Style&yaml.TaggedStyle != 0 {
		s.tag = y.Tag
	}
	return s
}
