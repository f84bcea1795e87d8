package config

import (
	"fmt"
	"regexp"
	"strings"
)

// render writes n as YAML with the same meaning, one token per line, and
// returns the node that each line (counted from 0) came from. So a library
// that reports "line 7" names a node exactly, whatever the style of the
// original, and any part of a file can be checked on its own.
//
//	{scrape_timeout: 30s}  →  {
//	                          ? scrape_timeout
//	                          : 30s
//	                          ,
//	                          }
func render(n *node) (string, []*node) {
	if n == nil {
		return "", nil
	}
	var r renderer
	r.value(n, "")
	return r.text.String(), r.nodes
}

type renderer struct {
	text  strings.Builder
	nodes []*node
}

func (r *renderer) line(n *node, parts ...string) {
	r.text.WriteByte(' ') // No token may look like a document marker.
	for _, p := range parts {
		r.text.WriteString(p)
	}
	r.text.WriteByte('\n')
	r.nodes = append(r.nodes, n)
}

func (r *renderer) value(n *node, prefix string) {
	switch n.kind {
	case scalarKind:
		r.line(n, prefix, n.scalar.yaml())
		return
	case mappingKind:
		r.line(n, prefix, tagPrefix(n.tag), "{")
	case sequenceKind:
		r.line(n, prefix, tagPrefix(n.tag), "[")
	}
	for _, c := range n.children {
		if c.hidden {
			continue
		}
		if n.kind == mappingKind {
			r.line(c, "? ", c.key.yaml())
			r.value(c, ": ")
		} else {
			r.value(c, "")
		}
		r.line(c, ",")
	}
	if n.kind == mappingKind {
		r.line(n, "}")
	} else {
		r.line(n, "]")
	}
}

// plainScalar matches everything that may be other than a string when it is
// not quoted (numbers, booleans, null, merge keys) and is as safe in flow
// style as in block style. The rest is always a string, so it can be quoted.
var plainScalar = regexp.MustCompile(`^[A-Za-z0-9_.+~<][A-Za-z0-9_.+~<-]*$|^-[A-Za-z0-9_.]+$`)

func (s scalar) yaml() string {
	switch {
	case s.plain && s.text == "" && s.tag == "":
		return "null"
	case s.plain && plainScalar.MatchString(s.text):
		return tagPrefix(s.tag) + s.text
	default:
		return tagPrefix(s.tag) + quote(s.text)
	}
}

func tagPrefix(tag string) string {
	switch {
	case tag == "":
		return ""
	case strings.HasPrefix(tag, "!"):
		return tag + " "
	default:
		return "!<" + tag + "> "
	}
}

// quote writes s in YAML's double quotes, on one line and in ASCII.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c >= ' ' && c <= '~':
			b.WriteRune(c)
		case c <= 0xffff:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			fmt.Fprintf(&b, `\U%08X`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
