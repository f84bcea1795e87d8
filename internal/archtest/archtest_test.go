package archtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the fixtures' problems and docs/dependencies.md")

// repository is the root of the module, seen from this package.
const repository = "../.."

func TestRepositoryKeepsEveryRule(t *testing.T) {
	tree, err := Load(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/hedgewatch/hedgewatch"; tree.Module != want || len(tree.Packages) == 0 {
		t.Fatalf("loaded module %q with %d packages, want %q with some", tree.Module, len(tree.Packages), want)
	}
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			for _, p := range rule.Check(tree) {
				t.Error(p)
			}
		})
	}
}

// Each fixture is a small repository with all the ways to break one rule, some
// ways to keep it, and the problems that the rule must find: no more, no less.
func TestRuleFindsTheProblemsOfItsFixture(t *testing.T) {
	const answer = "problems"
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			name := filepath.Join("testdata", rule.Name+".txtar")
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fsys := make(fstest.MapFS)
			var want *txtar.File
			for i, f := range archive.Files {
				if f.Name == answer {
					want = &archive.Files[i]
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			if want == nil {
				t.Fatalf("%s has no file %q", name, answer)
			}
			tree, err := Load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, p := range rule.Check(tree) {
				got.WriteString(p.String() + "\n")
			}
			if got.Len() == 0 {
				t.Error("the rule found nothing; a rule that cannot fail guards nothing")
			}
			if *update {
				want.Data = []byte(got.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// A picture is no text, which is all that a fixture can hold.
func TestLinksToImagesAreFollowed(t *testing.T) {
	tree, err := Load(fstest.MapFS{
		"README.md":            {Data: []byte("![a picture](docs/images/here.png)\n![gone](docs/images/gone.png)\n")},
		"docs/images/here.png": {Data: []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Problem{{"README.md", 2, "links to docs/images/gone.png, which does not exist"}}
	if diff := cmp.Diff(want, checkLinks(tree)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestLoadNamesTheFileThatIsNotGo(t *testing.T) {
	_, err := Load(fstest.MapFS{"internal/a/a.go": {Data: []byte("package")}})
	if err == nil || !strings.Contains(err.Error(), "internal/a/a.go") {
		t.Errorf("got error %v, want one that names internal/a/a.go", err)
	}
}

func TestNoFileNamesThisCheckout(t *testing.T) {
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(root, string(filepath.Separator)) < 2 {
		t.Skipf("%s is too short a path to search for", root)
	}
	tree, err := Load(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range tree.Text {
		if i := strings.Index(text, root); i >= 0 {
			t.Errorf("%s:%d: names the directory of this checkout", name, lineAt(text, i))
		}
	}
}
