package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestBadFilesAreExplained loads hedgewatch.yml of each archive, with the
// environment in its file "env", and compares the errors with its file "want".
func TestBadFilesAreExplained(t *testing.T) {
	archives, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) < 25 {
		t.Fatalf("got %d archives, want at least 25", len(archives))
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range a.Files {
				files[f.Name] = string(f.Data)
			}
			vars := map[string]string{}
			for line := range strings.Lines(files["env"]) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				vars[name] = value
			}
			dir := write(t, files)
			_, err = Load(filepath.Join(dir, "hedgewatch.yml"), Options{LookupEnv: env(vars)})
			if err == nil {
				t.Fatal("got no error")
			}
			if errs := Errors(nil); !errors.As(err, &errs) {
				t.Errorf("got an error of type %T, want Errors", err)
			}
			got := strings.ReplaceAll(err.Error(), dir+"/", "") + "\n"
			for name, value := range vars {
				if len(value) > 5 && strings.Contains(got, value) {
					t.Errorf("the value of %s is shown in:\n%s", name, got)
				}
			}
			if *update {
				a.Files[len(a.Files)-1] = txtar.File{Name: "want", Data: []byte(got)}
				if err := os.WriteFile(archive, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(files["want"], got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}
