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
	// maxCheckedBytes bounds the search, which loads a broken file many times:
	// about one second, or 100 errors in a file of 100 jobs.
	maxCheckedBytes = 8 << 20
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
	// extraBytes is what load costs beyond the length of its text.
	extraBytes int
	// typ is what load decodes into, for suggestions.
	typ     reflect.Type
	secrets *secrets

	checkedBytes int
	reported     []problem
	errs         Errors
}

// run hides everything that is wrong below the root and returns the errors.
func (d *diagnosis) run() Errors {
	found := d.check()
	for len(found) > 0 && !d.root.hidden {
		if len(d.errs) >= maxErrors || d.exhausted() {
			last := d.errs[len(d.errs)-1]
			d.errs = append(d.errs, Error{File: last.File, Line: last.Line, Err: errors.New(
				"there are more errors; correct these first")})
			break
		}
		if !d.reportLocated(found) {
			d.reportCulprit(found[0])
		}
		found = d.check()
	}
	return d.errs
}

// exhausted ends a search, though not before it has found something.
func (d *diagnosis) exhausted() bool {
	return d.checkedBytes > maxCheckedBytes && len(d.errs) > 0
}

// reportLocated deals with the problems of which the library names the place.
func (d *diagnosis) reportLocated(found []problem) bool {
	located := slices.DeleteFunc(slices.Clone(found), func(p problem) bool { return p.at == nil || p.at == d.root })
	for i := range located {
		located[i].follows = located[i].at.hurt
	}
	for _, p := range located {
		d.report(p)
	}
	return len(located) > 0
}

func (d *diagnosis) reportCulprit(p problem) {
	p.at = d.blame(p.message)
	p.follows = p.at.hurt
	d.report(p)
}

func (d *diagnosis) report(p problem) {
	defer p.at.hide()
	if p.follows {
		return
	}
	err := Error{
		File: p.at.root().file,
		Line: p.at.line,
		Key:  p.at.path() + p.below,
		Err:  errors.New(d.secrets.clean(p.at, d.explain(p.at, p.message)) + advice(p.message)),
	}
	for _, other := range d.reported {
		if other.at.source == p.at.source && other.message == p.message && p.at.source != nil {
			return // The same text, by way of another alias.
		}
	}
	d.reported = append(d.reported, p)
	d.errs = append(d.errs, err)
}

// problem is one complaint and the part of the file that it is about.
type problem struct {
	at      *node  // nil if the library does not say
	below   string // the rest of the key, where the file does not have it
	message string
	// follows says that the part lost a piece of itself to an earlier error
	// and may miss just that; the earlier error is the one to correct.
	follows bool
}

// check loads what is not hidden.
func (d *diagnosis) check() (found []problem) {
	text, nodes := render(d.root)
	d.checkedBytes += len(text) + d.extraBytes
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
	s := search{d: d, message: message}
	defer s.showAll()
	if culprit := s.below(d.root); culprit != nil {
		return culprit
	}
	return d.root
}

// A search looks for the cause of a message. On its way down it hides what the
// message does not need, level by level, so that other errors do not disturb.
type search struct {
	d       *diagnosis
	message string
	levels  [][]*node
}

// below returns the smallest culprit below n, or nil if it is n itself.
func (s *search) below(n *node) *node {
	if s.d.exhausted() {
		return nil
	}
	children := slices.Clone(n.children)
	children = slices.DeleteFunc(children, func(c *node) bool { return c.hidden })
	if n.kind == sequenceKind {
		return s.orBelow(s.firstElement(children))
	}
	needed := s.needed(children)
	var culprit *node
	for _, c := range needed {
		if s.cleanWithout(c) && (culprit == nil || s.mentions(c) || !s.mentions(culprit)) {
			culprit = c
		}
	}
	if culprit != nil || len(needed) == 1 {
		if culprit == nil {
			culprit = needed[0]
		}
		return s.orBelow(culprit)
	}
	// Each of them is needed for other reasons too: it is a part of one.
	for _, c := range slices.Backward(needed) {
		depth := len(s.levels)
		if part := s.below(c); part != nil && s.cleanWithout(part) {
			return part
		}
		s.showFrom(depth)
	}
	return nil
}

func (s *search) orBelow(n *node) *node {
	if n == nil {
		return nil
	}
	if part := s.below(n); part != nil {
		return part
	}
	return n
}

// firstElement returns the element with which the message first appears. The
// elements after it are hidden, and those before it if it needs none of them.
func (s *search) firstElement(elements []*node) *node {
	k := sort.Search(len(elements), func(k int) bool { return s.persistsWithout(elements[k:]) })
	if k == 0 {
		return nil
	}
	s.hide(elements[k:])
	if before := elements[:k-1]; s.persistsWithout(before) {
		s.hide(before)
	}
	return elements[k-1]
}

// needed hides the keys that the message does not need and returns the others.
func (s *search) needed(keys []*node) []*node {
	var needed, others []*node
	for _, c := range keys {
		if s.persistsWithout([]*node{c}) {
			c.hidden = true
			others = append(others, c)
		} else {
			needed = append(needed, c)
		}
	}
	s.hide(others)
	return needed
}

// mentions reports whether the message has the key of n in it.
func (s *search) mentions(n *node) bool {
	return strings.Contains(s.message, n.key.text) || strings.Contains(s.message, strings.ReplaceAll(n.key.text, "_", " "))
}

// cleanWithout reports whether no error is left without n. What the message
// does not need may be needed for that, so it is shown again step by step:
// keys first, for one may require another, and other elements last.
func (s *search) cleanWithout(n *node) bool {
	n.hidden = true
	defer func() { n.hidden = false }()
	levels := slices.Clone(s.levels)
	slices.Reverse(levels)
	slices.SortStableFunc(levels, func(a, b []*node) int { return int(a[0].parent.kind) - int(b[0].parent.kind) })
	clean := len(s.d.check()) == 0
	for _, level := range levels {
		if clean {
			break
		}
		setHidden(level, false)
		clean = len(s.d.check()) == 0
	}
	for _, level := range s.levels {
		setHidden(level, true)
	}
	return clean
}

func (s *search) persistsWithout(ns []*node) bool {
	setHidden(ns, true)
	found := s.d.check()
	setHidden(ns, false)
	return slices.ContainsFunc(found, func(p problem) bool { return p.message == s.message })
}

func (s *search) hide(ns []*node) {
	setHidden(ns, true)
	if len(ns) > 0 {
		s.levels = append(s.levels, ns)
	}
}

func (s *search) showAll() { s.showFrom(0) }

func (s *search) showFrom(level int) {
	for _, ns := range s.levels[level:] {
		setHidden(ns, false)
	}
	s.levels = s.levels[:level]
}

func setHidden(ns []*node, hidden bool) {
	for _, n := range ns {
		n.hidden = hidden
	}
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
			all[0].message = cause.Error()
		}
	}
	return all
}
