package services

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// dependencySlack is how much later than the one that needs it a service may be
// seen to fail, and still be the reason.
const dependencySlack = 30 * time.Second

// related knows services by name, and who has named them, so that thousands that
// fail at once are not held against each other.
type related struct {
	named  map[string]map[*service]bool // All services, by the names that they go by.
	wanted map[string]map[*service]bool // Failing ones, by the names of services that they may need.
	// compared counts pairs that were held against each other; a test bounds it.
	compared int
}

func newRelated() related {
	return related{named: map[string]map[*service]bool{}, wanted: map[string]map[*service]bool{}}
}

func put(m map[string]map[*service]bool, name string, svc *service) {
	if m[name] == nil {
		m[name] = map[*service]bool{}
	}
	m[name][svc] = true
}

func drop(m map[string]map[*service]bool, name string, svc *service) {
	delete(m[name], svc)
	if len(m[name]) == 0 {
		delete(m, name)
	}
}

// names are those that a service goes by in declarations and in logs.
func (k ServiceKey) names() []string {
	if short, ok := strings.CutSuffix(k.Service, ".service"); ok {
		return []string{k.Service, short}
	}
	return []string{k.Service}
}

// add makes svc known.
func (s *Services) add(svc *service) {
	s.services[svc.key] = svc
	for _, name := range svc.key.names() {
		put(s.related.named, name, svc)
	}
}

// remove forgets svc.
func (s *Services) remove(svc *service) {
	delete(s.services, svc.key)
	s.delist(svc)
	for _, name := range svc.key.names() {
		drop(s.related.named, name, svc)
	}
}

// enlist notes that svc has an incident or a recent exit, and which of the services
// that exist it may need.
func (s *Services) enlist(svc *service) {
	s.failing[svc.key] = svc
	var wants []string
	for _, in := range svc.instances {
		for _, names := range [][]string{in.DependsOn, in.blames} {
			for _, name := range names {
				if s.related.named[name] != nil && !slices.Contains(wants, name) {
					wants = append(wants, name)
				}
			}
		}
	}
	if slices.Equal(wants, svc.wants) {
		return
	}
	s.want(svc, wants)
}

// delist is the reverse of enlist.
func (s *Services) delist(svc *service) {
	delete(s.failing, svc.key)
	s.want(svc, nil)
}

func (s *Services) want(svc *service, names []string) {
	for _, name := range svc.wants {
		drop(s.related.wanted, name, svc)
	}
	for _, name := range names {
		put(s.related.wanted, name, svc)
	}
	svc.wants = names
}

// touchRelated has the services looked at whose place may change with svc's.
func (s *Services) touchRelated(svc *service) {
	for _, name := range svc.key.names() {
		for other := range s.related.wanted[name] {
			if other != svc {
				s.touch(other)
			}
		}
	}
}

// hang finds the service because of which svc fails.
func (s *Services) hang(svc *service, now time.Time) {
	before := svc.parent
	if before != nil && !svc.began.IsZero() && svc.recovers() {
		return // It came back with the other one, and is over with it.
	}
	var parent *service
	if !svc.began.IsZero() {
		for _, name := range svc.wants {
			for other := range s.related.named[name] {
				s.related.compared++
				if other != svc && s.failing[other.key] == other && svc.needs(other) && other.down(now) && !other.below(svc) &&
					!other.firstExit(now).After(svc.began.Add(dependencySlack)) &&
					(parent == nil || other.firstExit(now).Before(parent.firstExit(now))) {
					parent = other
				}
			}
		}
	}
	if parent == before {
		return
	}
	svc.parent = parent
	s.deps.Changed()
	if before != nil {
		delete(before.children, svc)
		s.touch(before)
	}
	if parent != nil {
		if parent.children == nil {
			parent.children = map[*service]bool{}
		}
		parent.children[svc] = true
		s.touch(parent)
	}
}

// below reports whether svc hangs below other, however far.
func (svc *service) below(other *service) bool {
	for p, n := svc.parent, 0; p != nil && n < 100; p, n = p.parent, n+1 {
		if p == other {
			return true
		}
	}
	return false
}

// allBelow returns the services that fail because of svc, however far, by name.
func (svc *service) allBelow() []*service {
	found := map[*service]bool{}
	for todo := []*service{svc}; len(todo) > 0; todo = todo[1:] {
		for child := range todo[0].children {
			if child != svc && !found[child] && !child.began.IsZero() {
				found[child] = true
				todo = append(todo, child)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b *service) int { return strings.Compare(a.key.String(), b.key.String()) })
}

// needs reports whether svc is declared to depend on other, or its log names it
// as what does not answer.
func (svc *service) needs(other *service) bool {
	names := other.key.names()
	for _, in := range svc.instances {
		if slices.Contains(in.DependsOn, other.key.Service) && other.key.Namespace == svc.key.Namespace {
			return true
		}
		if slices.Contains(in.blames, names[len(names)-1]) {
			return true
		}
	}
	return false
}

// blames are the words in the evidence of a lack of something that may be its
// name: of a host, or a word of its own.
func (d Diagnosis) blames() (words []string) {
	const shortest = 3
	if d.Cause != Dependency {
		return nil
	}
	for _, line := range d.Evidence {
		for word := range strings.FieldsFuncSeq(line, func(r rune) bool {
			return !(r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
		}) {
			if len(word) >= shortest && !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}
