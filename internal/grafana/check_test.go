package grafana

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the problems in testdata/*.txtar")

// Each archive is a dashboard and the problems that are to be found in it.
func TestCheck(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %v, error %v; want some cases", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil || len(archive.Files) != 2 {
				t.Fatalf("got %d files, error %v; want dashboard.json and problems", len(archive.Files), err)
			}
			var b strings.Builder
			for _, problem := range Check(archive.Files[0].Data, parser.NewParser(parser.Options{})) {
				b.WriteString(problem.Error() + "\n")
			}
			if *update {
				archive.Files[1].Data = []byte(b.String())
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), b.String()); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSampleLeavesAnExpressionThatParses(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{`rate(a[$__rate_interval])`, `rate(a[5m])`},
		{`rate(a[${window}])`, `rate(a[5m])`},
		{`max_over_time(a[1h:$__interval])`, `max_over_time(a[1h:5m])`},
		{`a offset $back`, `a offset 5m`},
		{`a{job=~"$job", i="[[instance:pipe]]"}`, `a{job=~"1", i="1"}`},
		{`label_replace(a, "x", "$1", "y", "(.*)")`, `label_replace(a, "x", "$1", "y", "(.*)")`},
		{`topk($top, a)`, `topk(1, a)`},
		{`a > $__range_s`, `a > 3600`},
	} {
		if got := Sample(tt.expr); got != tt.want {
			t.Errorf("Sample(%q) = %q, want %q", tt.expr, got, tt.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, path := range []string{"testdata/sound.txtar", "testdata/layout.txtar", "testdata/variables.txtar"} {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		Check(text, parser.NewParser(parser.Options{})) // It must not panic.
	})
}
