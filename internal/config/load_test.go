package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestTextShowsTheWholeFile compares Config.Text with a golden file.
func TestTextShowsTheWholeFile(t *testing.T) {
	c, err := Load(examples+"/hedgewatch.yml", Options{})
	if err != nil {
		t.Fatal(err)
	}
	golden := "testdata/text.golden.yml"
	if *update {
		if err := os.WriteFile(golden, []byte(c.Text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), c.Text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestMissingFileSaysWhatToDo(t *testing.T) {
	_, err := Load("nowhere/hedgewatch.yml", Options{})
	want := "nowhere/hedgewatch.yml: read configuration: open nowhere/hedgewatch.yml: no such file or directory; give its path with --config.file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Error("errors.Is does not find the cause")
	}
}

func TestManyErrorsEndInTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("scrape_configs:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  - job_name: j%d\n    scrape_timeout: 5h\n    static_configs: [{targets: ['a:%d']}]\n", i, i)
	}
	dir := write(t, map[string]string{"hedgewatch.yml": b.String()})
	_, err := Load(filepath.Join(dir, "hedgewatch.yml"), Options{})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) < 10 || len(errs) > maxErrors+1 {
		t.Fatalf("got %d errors, want 10 to %d", len(errs), maxErrors)
	}
	last := len(errs) - 1
	if got, want := errs[last].Err.Error(), "there are more errors; correct these first"; got != want {
		t.Errorf("got last error %q, want %q", got, want)
	}
	for i, e := range errs[:last-1] { // The search may end in the midst of one.
		if want := fmt.Sprintf("scrape_configs[%d].scrape_timeout", i); e.Key != want {
			t.Errorf("got %s, want %s", e.Key, want)
		}
	}
}

// FuzzLoad checks what Load promises for any file.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/prometheus/*.yml", examples + "/hedgewatch.yml", "default.yml"} {
		files, _ := filepath.Glob(pattern) // The patterns are constant.
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	archives, _ := filepath.Glob("testdata/bad/*.txtar")
	for _, file := range archives {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, key := range []string{"rule_files", "scrape_config_files", "config_file", "templates", "${env:", "${file:"} {
			if strings.Contains(text, key) {
				t.Skip("depends on this machine's files")
			}
		}
		dir := write(t, map[string]string{"hedgewatch.yml": text})
		path := filepath.Join(dir, "hedgewatch.yml")
		got, err := Load(path, Options{LookupEnv: env(nil)})
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("got error %v, want Errors", err)
			}
			for _, e := range errs {
				if e.File == "" {
					t.Errorf("no file in error %q", e)
				}
			}
		}
		want := loadUpstream(path)
		switch {
		case want != nil && want.GlobalConfig.ScrapeInterval == 0:
			// For `~` Prometheus forgets its defaults; we treat it as an empty file.
		case want == nil:
		case err != nil && strings.Contains(err.Error(), "YAML document"):
			// Prometheus drops all but the first document, in silence.
		case err != nil:
			t.Errorf("Prometheus accepts this, got:\n%v", err)
		case !reflect.DeepEqual(got.Prometheus, want):
			t.Errorf("configuration (-want +got):\n%s", cmp.Diff(want.String(), got.Prometheus.String()))
		}
	})
}

// loadUpstream returns nil if Prometheus refuses the file, or panics.
func loadUpstream(path string) (cfg *promconfig.Config) {
	defer func() {
		if recover() != nil {
			cfg = nil
		}
	}()
	cfg, err := promconfig.LoadFile(path, false, discard)
	if err != nil {
		return nil
	}
	return cfg
}

func BenchmarkLoad(b *testing.B) {
	var many strings.Builder
	many.WriteString("scrape_configs:\n")
	for i := range 1000 {
		fmt.Fprintf(&many, "  - job_name: j%d\n    static_configs: [{targets: ['a:%d']}]\n", i, i)
	}
	files := map[string]string{
		"example":    examples + "/hedgewatch.yml",
		"prometheus": "testdata/prometheus/conf.good.yml",
		"jobs=1000":  filepath.Join(write(b, map[string]string{"hedgewatch.yml": many.String()}), "hedgewatch.yml"),
	}
	for name, file := range files {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Load(file, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
