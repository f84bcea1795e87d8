package archtest

import (
	"fmt"
	"regexp"
	"strings"
)

// checkTODOs asks each note to name, in its first line, the condition that ends
// it: `TODO: use theirs when Prometheus exports relabelAlerts.`
func checkTODOs(t *Tree) []Problem {
	note := regexp.MustCompile(`(?m)^\s*(?://|#|/?\*)\s*(TODO|FIXME|XXX|HACK)\b(.*)$`)
	condition := regexp.MustCompile(`\b(when|after|once|until) \S`)
	var problems []Problem
	for name, text := range t.matching(`\.(go|ts|tsx|css|js|sh|ya?ml)$|(^|/)Makefile$`) {
		for _, m := range note.FindAllStringSubmatchIndex(text, -1) {
			if text[m[2]:m[3]] == "TODO" && condition.MatchString(text[m[4]:m[5]]) {
				continue
			}
			problems = append(problems, Problem{name, lineAt(text, m[2]), "names no condition that ends it; write TODO: … when …"})
		}
	}
	return problems
}

// checkPaths finds what exists on one machine only. Recorded input may hold any
// path.
func checkPaths(t *Tree) []Problem {
	machine := regexp.MustCompile("(?m)(?:^|[\\s\"'`(=:,])((?:/home/|/root/|/Users/|[A-Z]:\\\\Users\\\\)\\w[^\\s\"'`)]*)")
	var problems []Problem
	for name, text := range t.matching(`.`) {
		if inTestdata(name) {
			continue
		}
		for _, m := range machine.FindAllStringSubmatchIndex(text, -1) {
			problems = append(problems, Problem{name, lineAt(text, m[2]), fmt.Sprintf("%s is a path of one machine", text[m[2]:m[3]])})
		}
	}
	return problems
}

// checkRunbooks pairs the alerts with their runbooks, both ways.
func checkRunbooks(t *Tree) []Problem {
	var problems []Problem
	alert := regexp.MustCompile(`(?m)^\s*(?:- )?alert:\s*["']?(\w+)`)
	shipped := make(map[string]bool)
	for name, text := range t.matching(`^mixin/rules/[^/]+\.ya?ml$`) {
		for _, m := range alert.FindAllStringSubmatchIndex(text, -1) {
			runbook := "docs/runbooks/" + text[m[2]:m[3]] + ".md"
			shipped[runbook] = true
			if _, ok := t.Text[runbook]; !ok {
				problems = append(problems, Problem{name, lineAt(text, m[2]), "this alert has no runbook; write " + runbook})
			}
		}
	}
	for name := range t.matching(`^docs/runbooks/[^/]+\.md$`) {
		if !shipped[name] && !strings.HasSuffix(name, "/README.md") {
			problems = append(problems, Problem{File: name, Message: "is the runbook of an alert that mixin/rules does not have"})
		}
	}
	return problems
}
