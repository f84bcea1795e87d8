package archtest

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

const documents = `^([^/]+\.md|(docs|mixin|ui|bench|instrument|deploy|examples)/.*\.md)$`

// checkTargets holds the documents to commands that exist: each `make x` in code
// is a target.
func checkTargets(t *Tree) []Problem {
	targets := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):(?:[^=]|$)`).FindAllStringSubmatch(t.Text["Makefile"], -1) {
		targets[m[1]] = true
	}
	command := regexp.MustCompile("(?m)(?:`|^\\s*(?:\\$ )?|&& )make ([a-z][a-z0-9-]*)(?:`|\\s*$|\\s+#| &&| \\w+=)")
	var problems []Problem
	for name, text := range t.matching(documents) {
		for _, m := range command.FindAllStringSubmatchIndex(text, -1) {
			if target := text[m[2]:m[3]]; !targets[target] {
				problems = append(problems, Problem{name, lineAt(text, m[2]), fmt.Sprintf("`make %s` is not a target of the Makefile", target)})
			}
		}
	}
	return problems
}

// checkLinks follows each relative link of the documents, those to images too. A
// heading's anchor is not looked up.
func checkLinks(t *Tree) []Problem {
	link := regexp.MustCompile(`\]\(([^)\s#]+)(?:#[^)]*)?\)`)
	var problems []Problem
	for name, text := range t.matching(documents) {
		for _, m := range link.FindAllStringSubmatchIndex(text, -1) {
			target := text[m[2]:m[3]]
			if strings.Contains(target, ":") {
				continue // A URL.
			}
			to := path.Join(path.Dir(name), target)
			if !t.paths[to] {
				problems = append(problems, Problem{name, lineAt(text, m[2]), fmt.Sprintf("links to %s, which does not exist", target)})
			}
		}
	}
	return problems
}

// checkADRs keeps the decisions in one form, under numbers of their own, and all
// of them in the index.
func checkADRs(t *Tree) []Problem {
	const index = "docs/adr/README.md"
	numbered := regexp.MustCompile(`^docs/adr/(\d{4})-[a-z0-9-]+\.md$`)
	byNumber := make(map[string]string)
	var problems []Problem
	for name, text := range t.matching(`^docs/adr/.*\.md$`) {
		if name == index {
			continue
		}
		m := numbered.FindStringSubmatch(name)
		if m == nil {
			problems = append(problems, Problem{File: name, Message: "is not named like 0001-what-was-decided.md"})
			continue
		}
		if other, taken := byNumber[m[1]]; taken {
			problems = append(problems, Problem{File: name, Message: "has the number of " + other})
		}
		byNumber[m[1]] = name
		for _, heading := range []string{"## Context", "## Decision", "## Consequences"} {
			if !strings.Contains(text, "\n"+heading+"\n") {
				problems = append(problems, Problem{File: name, Message: fmt.Sprintf("has no heading %q", heading)})
			}
		}
		if !strings.Contains(t.Text[index], "("+path.Base(name)+")") {
			problems = append(problems, Problem{File: index, Message: "does not link to " + path.Base(name)})
		}
	}
	return problems
}
