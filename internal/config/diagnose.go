package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/rulefmt"
)

const (
	// maxErrors ends the search for more errors in one file.
	maxErrors = 100
	// maxChecks bounds how often a broken file is loaded to find the culprits.
	maxChecks = 3000
)

// A diagnosis finds every error in a part of a file, although the library that
// loads it stops at the first and often does not say where it is.
//
// It loads the part, takes what is wrong out of the tree, and loads again
// until the rest is fine. An error without a line is located by leaving parts
// out: what makes the error vanish when left out, caused it.
type diagnosis struct {
	root *node
	// load is the library's loader; a nil error means that the text is valid.
	load func(text string) error
	// typ is what load decodes into, for suggestions.
	typ     reflect.Type
	secrets *secrets

	checks int
	errs   Errors
}

// run hides everything that is wrong below the root and returns the errors.
func (d *diagnosis) run() Errors {
	for len(d.errs) < maxErrors && d.checks < maxChecks && !d.root.hidden {
		found := d.check()
		if len(found) == 0 {
			break
		}
		if !d.reportLocated(found) {
			d.reportCulprit(found[0])
		}
	}
	return d.errs
}

// reportLocated deals with the problems of which the library names the line.
func (d *diagnosis) reportLocated(found []problem) bool {
	any := false
	for _, p := range found {
		if p.at == nil || p.at == d.root {
			continue
		}
		d.report(p)
		any = true
	}
	return any
}

func (d *diagnosis) reportCulprit(p problem) {
	at := d.blame(p.message)
	// A part that lost a piece of itself to an earlier error may miss just
	// that piece; the earlier error is the one to correct.
	if at.hurt {
		at.hide()
		return
	}
	d.report(problem{at: at, message: p.message})
}

func (d *diagnosis) report(p problem) {
	d.errs = append(d.errs, Error{
		File: p.at.root().file,
		Line: p.at.line,
		Key:  p.at.path() + p.below,
		Err:  d.secrets.clean(p.at, d.explain(p.at, p.message)),
	})
	p.at.hide()
}

// problem is one complaint and the part of the file that it is about.
type problem struct {
	at      *node  // nil if the library does not say
	below   string // the rest of the key, where the file does not have it
	message string
}

// check loads what is not hidden.
func (d *diagnosis) check() (found []problem) {
	d.checks++
	text, nodes := render(d.root)
	defer func() {
		// The libraries dereference some nulls, such as `routes: [null]`.
		if r := recover(); r != nil {
			found = []problem{{message: fmt.Sprintf("not accepted (%v); a value may be missing here", r)}}
		}
	}()
	for _, p := range split(d.load(text)) {
		if p.line > 0 && p.line <= len(nodes) {
			found = append(found, problem{at: nodes[p.line-1], message: p.message})
		} else {
			found = append(found, d.locate(p.message))
		}
	}
	return found
}

// keyed matches how our own Validate methods begin: "host.path.procfs: ".
var keyed = regexp.MustCompile(`^[a-z_]+[^ :]*: `)

// locate finds the part of the file that a message begins with, if it does.
func (d *diagnosis) locate(message string) problem {
	p := problem{message: message}
	prefix := keyed.FindString(message)
	if prefix == "" || d.root.parent == nil {
		return p
	}
	key := strings.TrimSuffix(prefix, ": ")
	d.root.walk(func(n *node) {
		rest, ok := strings.CutPrefix(key, n.path())
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			p = problem{at: n, below: rest, message: message[len(prefix):]}
		}
	})
	return p
}

// blame returns the smallest part of the tree that causes the message.
func (d *diagnosis) blame(message string) *node {
	var set []*node // what blame hides, to be shown again
	defer func() {
		for _, n := range set {
			n.hidden = false
		}
	}()
	hide := func(ns ...*node) {
		for _, n := range ns {
			n.hidden = true
		}
		set = append(set, ns...)
	}

	at := d.root
	for {
		visible := make([]*node, 0, len(at.children))
		for _, c := range at.children {
			if !c.hidden {
				visible = append(visible, c)
			}
		}
		var next *node
		if at.kind == sequenceKind {
			next = d.firstElement(visible, message, hide)
		} else {
			next = d.culpritKey(visible, message, hide)
		}
		if next == nil || d.checks >= maxChecks {
			return at
		}
		at = next
	}
}

// firstElement returns the element with which the message first appears. The
// elements after it are hidden, and those before it if it needs none of them.
func (d *diagnosis) firstElement(elements []*node, message string, hide func(...*node)) *node {
	k := sort.Search(len(elements), func(k int) bool {
		return d.persistsWithout(message, elements[k:])
	})
	if k == 0 {
		return nil
	}
	hide(elements[k:]...)
	if before := elements[:k-1]; d.persistsWithout(message, before) {
		hide(before...)
	}
	return elements[k-1]
}

// culpritKey hides the keys that the message does not need and returns the one
// that, left out, leaves no error at all; the last of them if there are more.
func (d *diagnosis) culpritKey(keys []*node, message string, hide func(...*node)) *node {
	var needed []*node
	for _, c := range keys {
		if d.persistsWithout(message, []*node{c}) {
			hide(c)
		} else {
			needed = append(needed, c)
		}
	}
	for _, c := range slices.Backward(needed) {
		c.hidden = true
		clean := len(d.check()) == 0
		c.hidden = false
		if clean {
			return c
		}
	}
	if len(needed) == 1 {
		return needed[0]
	}
	return nil
}

func (d *diagnosis) persistsWithout(message string, ns []*node) bool {
	for _, n := range ns {
		n.hidden = true
	}
	found := d.check()
	for _, n := range ns {
		n.hidden = false
	}
	return slices.ContainsFunc(found, func(p problem) bool { return p.message == message })
}

// complaint is a message of a library and the line of the rendered text that
// it names, or 0.
type complaint struct {
	line    int
	message string
}

// position matches "line 7: ", "7:3: " and "0:0: 0:0: " (rule files).
var position = regexp.MustCompile(`^(?:line (\d+): |(\d+):\d+: (?:\d+:\d+: )?)`)

// split takes the errors of the YAML, configuration and rule libraries apart.
func split(err error) []complaint {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []complaint
		for _, e := range joined.Unwrap() {
			all = append(all, split(e)...)
		}
		return all
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	lines := []string{text}
	if i := strings.Index(text, "unmarshal errors:\n"); i >= 0 {
		lines = strings.Split(strings.TrimPrefix(text[i:], "unmarshal errors:\n  "), "\n  ")
	}
	all := make([]complaint, len(lines))
	for i, line := range lines {
		m := position.FindStringSubmatch(line)
		if m == nil {
			all[i].message = line
			continue
		}
		all[i].line, _ = strconv.Atoi(m[1] + m[2]) // Digits only; overflow means no line.
		all[i].message = line[len(m[0]):]
	}
	if rule := (*rulefmt.Error)(nil); errors.As(err, &rule) {
		if cause := errors.Unwrap(&rule.Err); cause != nil {
			all[0].message = fmt.Sprintf("rule %q: %v", rule.RuleName, cause)
		}
	}
	return all
}
