package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// Package variables that hold a process-wide thing. A table of values, an error,
// a compiled expression or an embedded file is none: it never changes.
//
// The check reads syntax, not types: it knows the constructors and types by the
// names under which everybody imports them.
func stateful(source string) bool {
	return regexp.MustCompile(`^[&*]?(` +
		`prometheus\.(New(Counter|Gauge|Histogram|Summary|Registry|Pedantic)|Wrap|Default|Must)` +
		`|(promauto|slog|log|promslog|flag|kingpin|pflag|rand|time|otel)\.(New|With|Default|Must|String|Bool|Int|Duration|Flag|Command|Now|Tick)` +
		`|(http\.(Client|Transport|Server|ServeMux|New)|sql\.Open)` +
		`|sync\.|atomic\.|make\(|new\(|context\.` +
		`|(prometheus|slog|log|flag|http|sql|kingpin)\.(Registry|Registerer|Gatherer|Logger|FlagSet|Client|DB|Application|Counter|Gauge|Histogram|CounterVec|GaugeVec)\b` +
		`)`).MatchString(source)
}

// excepted knows the package state that an embedded library forces on us.
func excepted(dir, variable string) bool {
	// node_exporter reads its flags from kingpin's command line, which is global,
	// and once for each process.
	return dir == "internal/collector/host" && variable == "parsed"
}

func checkState(t *Tree) []Problem {
	var problems []Problem
	for _, p := range t.Packages {
		variables := packageVariables(p)
		for f := range p.Sources() {
			for _, decl := range f.AST.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil && d.Name.Name == "init" {
						problems = append(problems, Problem{f.Path, t.line(d.Pos()), "has an init; let a constructor do the work"})
					}
				case *ast.GenDecl:
					problems = append(problems, t.checkVariables(f, d)...)
				}
			}
			problems = append(problems, t.checkAssignments(f, variables)...)
		}
	}
	return problems
}

func packageVariables(p *Package) map[string]bool {
	names := make(map[string]bool)
	for f := range p.Sources() {
		for _, decl := range f.AST.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					names[name.Name] = name.Name != "_" && !excepted(p.Dir, name.Name)
				}
			}
		}
	}
	return names
}

func (t *Tree) checkVariables(f *File, d *ast.GenDecl) []Problem {
	if d.Tok != token.VAR {
		return nil
	}
	var problems []Problem
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		if v.Names[0].Name == "_" {
			continue // `var _ Interface = (*T)(nil)` checks a type.
		}
		for _, part := range append([]ast.Expr{v.Type}, v.Values...) {
			if part != nil && stateful(t.source(f, part)) {
				problems = append(problems, Problem{f.Path, t.line(v.Pos()), fmt.Sprintf("%s is package state; let the constructor receive it", v.Names[0].Name)})
				break
			}
		}
	}
	return problems
}

// checkAssignments finds package variables that change. A name that the parser
// resolved inside the file to anything but a package variable is a local one.
func (t *Tree) checkAssignments(f *File, variables map[string]bool) []Problem {
	var problems []Problem
	check := func(target ast.Expr) {
		name := root(target)
		if name == nil || !variables[name.Name] {
			return
		}
		if name.Obj != nil && f.AST.Scope.Lookup(name.Name) != name.Obj {
			return
		}
		problems = append(problems, Problem{f.Path, t.line(target.Pos()), fmt.Sprintf("changes the package variable %s; keep what changes in a struct", name.Name)})
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				for _, target := range s.Lhs {
					check(target)
				}
			}
		case *ast.IncDecStmt:
			check(s.X)
		}
		return true
	})
	return problems
}

// root is the x of x, x.f, x[i], *x and combinations of them.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func (t *Tree) source(f *File, e ast.Expr) string {
	start, end := t.fset.Position(e.Pos()).Offset, t.fset.Position(e.End()).Offset
	return strings.TrimSpace(t.Text[f.Path][start:end])
}
