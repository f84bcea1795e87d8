// Package archtest holds the repository to what its documents promise: the floors
// of ARCHITECTURE.md, comments that say what a package is for, no package state,
// a runbook for each alert, documents whose links and commands work, and a true
// list of the dependencies and their licences. Start with Rules.
//
// It is not a linter: what gofumpt, go vet or staticcheck find is left to them.
// Each rule has a fixture in testdata/ in which it fails.
package archtest

import (
	"cmp"
	"fmt"
	"slices"
)

// A Rule is one promise that can be checked by reading the tree.
type Rule struct {
	// Name names the rule's fixture too: testdata/<Name>.txtar.
	Name  string
	check func(*Tree) []Problem
}

// Check returns every place that breaks the promise, in the order of the tree.
func (r Rule) Check(t *Tree) []Problem {
	problems := r.check(t)
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
	return problems
}

// A Problem is a place that breaks a rule and what to do about it.
type Problem struct {
	File string
	// Line is 0 when the problem is the file as a whole.
	Line    int
	Message string
}

// String is the form that editors and terminals turn into a link.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Rules returns every rule, in the order of their names.
func Rules() []Rule {
	return []Rule{
		{"adrs", checkADRs},
		{"comments", checkComments},
		{"floors", checkFloors},
		{"links", checkLinks},
		{"names", checkNames},
		{"paths", checkPaths},
		{"runbooks", checkRunbooks},
		{"state", checkState},
		{"targets", checkTargets},
		{"todos", checkTODOs},
	}
}
