package archtest

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Tree is a repository as the rules see it: what people wrote, not what was built.
type Tree struct {
	// Module is the path of the root module.
	Module string
	// Packages are sorted by Dir; those under testdata are not among them.
	Packages []*Package
	// Text holds every text file, by its path from the root.
	Text map[string]string

	// paths are those of all directories and files, images among them.
	paths map[string]bool
	fset  *token.FileSet
}

// Package is the Go files of one directory, with its external tests.
type Package struct {
	Dir   string
	Name  string
	Files []*File
}

// File is one parsed Go file.
type File struct {
	Path string
	Test bool
	AST  *ast.File
}

// built says whether git ignores the directory: it holds output, data or
// downloads.
func built(dir string) bool {
	switch dir {
	case "bin", "data", "bench/out":
		return true
	}
	switch path.Base(dir) {
	case ".git", ".cache", "node_modules", "dist":
		return true
	}
	return false
}

// Load reads the repository whose root is fsys. Build constraints are ignored, so
// that the rules hold on every platform.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{Text: make(map[string]string), paths: make(map[string]bool), fset: token.NewFileSet()}
	packages := make(map[string]*Package)
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			t.paths[name] = true
			if built(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		t.paths[name] = true
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(content, 0) >= 0 {
			return nil
		}
		t.Text[name] = string(content)
		if path.Ext(name) != ".go" || inTestdata(name) {
			return nil
		}
		return t.addFile(packages, name, content)
	})
	if err != nil {
		return nil, fmt.Errorf("load the tree: %w", err)
	}
	if m := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(t.Text["go.mod"]); m != nil {
		t.Module = m[1]
	}
	t.Packages = slices.SortedFunc(maps.Values(packages), func(a, b *Package) int { return cmp.Compare(a.Dir, b.Dir) })
	return t, nil
}

func (t *Tree) addFile(packages map[string]*Package, name string, content []byte) error {
	parsed, err := parser.ParseFile(t.fset, name, content, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("parse Go: %w", err)
	}
	dir := path.Dir(name)
	p := packages[dir]
	if p == nil {
		p = &Package{Dir: dir}
		packages[dir] = p
	}
	test := strings.HasSuffix(name, "_test.go")
	if !test || p.Name == "" {
		p.Name = strings.TrimSuffix(parsed.Name.Name, "_test")
	}
	p.Files = append(p.Files, &File{Path: name, Test: test, AST: parsed})
	return nil
}

// Sources yields the files of p that are not tests.
func (p *Package) Sources() iter.Seq[*File] {
	return func(yield func(*File) bool) {
		for _, f := range p.Files {
			if !f.Test && !yield(f) {
				return
			}
		}
	}
}

func (t *Tree) line(pos token.Pos) int { return t.fset.Position(pos).Line }

// lineAt is the line of a byte offset in a text.
func lineAt(text string, offset int) int { return 1 + strings.Count(text[:offset], "\n") }

// matching yields the text files whose path the pattern matches, by path.
func (t *Tree) matching(pattern string) iter.Seq2[string, string] {
	wanted := regexp.MustCompile(pattern)
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(t.Text)) {
			if wanted.MatchString(name) && !yield(name, t.Text[name]) {
				return
			}
		}
	}
}

func inTestdata(name string) bool { return strings.Contains("/"+name, "/testdata/") }
