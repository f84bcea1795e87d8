package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// fewestWords is what a package comment needs to say what the package is for.
const fewestWords = 8

func checkComments(t *Tree) []Problem {
	var problems []Problem
	for _, p := range t.Packages {
		var first *File
		sources := 0
		for f := range p.Sources() {
			sources++
			if f.AST.Doc == nil {
				continue
			}
			if first != nil {
				problems = append(problems, Problem{f.Path, t.line(f.AST.Package), "is a second package comment; the first is in " + first.Path})
				continue
			}
			first = f
			if complaint := judgeComment(p, f.AST.Doc.Text()); complaint != "" {
				problems = append(problems, Problem{f.Path, t.line(f.AST.Doc.Pos()), complaint})
			}
		}
		if sources > 0 && first == nil {
			problems = append(problems, Problem{File: p.Dir, Message: "has no package comment; say what it is for, what it is not for, and which type to start with"})
		}
	}
	return problems
}

func judgeComment(p *Package, text string) string {
	starts := []string{"Package " + p.Name + " "}
	if p.Name == "main" {
		program := path.Base(p.Dir)
		starts = []string{"Command " + program + " ", strings.ToUpper(program[:1]) + program[1:] + " "}
	}
	i := slices.IndexFunc(starts, func(start string) bool { return strings.HasPrefix(text, start) })
	switch {
	case i < 0:
		return fmt.Sprintf("package comment does not start with %q", starts[0])
	case len(strings.Fields(text[len(starts[i]):])) < fewestWords:
		return fmt.Sprintf("package comment does not say what the package is for: it needs %d words or more", fewestWords)
	}
	return ""
}

func checkNames(t *Tree) []Problem {
	var problems []Problem
	for _, p := range t.Packages {
		switch p.Name {
		case "util", "utils", "common", "helpers", "types", "models", "misc", "base", "shared":
			problems = append(problems, Problem{File: p.Dir, Message: fmt.Sprintf("package name %q says nothing; name what the package provides", p.Name)})
		case "discovery", "dispatch", "inhibit", "nflog", "notifier", "notify", "promql", "remote", "rules", "scrape", "silence", "storage", "tsdb":
			problems = append(problems, Problem{File: p.Dir, Message: fmt.Sprintf("package name %q is taken by a library that is embedded here", p.Name)})
		}
	}
	return problems
}
