package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	promconfig "github.com/prometheus/prometheus/config"
)

const examples = "../../examples"

func TestExamplesAreValid(t *testing.T) {
	// alertmanager.yml is the one that is no hedgewatch.yml; another names it.
	wantWarnings := map[string]int{"governor.yml": 0, "hedgewatch.yml": 0, "prometheus.yml": 0, "with_alertmanager_file.yml": 1, "alertmanager.yml": -1}
	for _, file := range glob(t, examples+"/*.yml", 4) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, listed := wantWarnings[filepath.Base(file)]
			if !listed {
				t.Fatal("a new example: add it to this test")
			}
			if want < 0 {
				return
			}
			c, err := Load(file, Options{LookupEnv: env(nil)})
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Warnings) != want {
				t.Errorf("got warnings %q, want %d", c.Warnings, want)
			}
		})
	}
}

func TestExampleForPrometheusIsOne(t *testing.T) {
	if _, err := promconfig.LoadFile(examples+"/prometheus.yml", false, discard); err != nil {
		t.Error(err)
	}
}

// TestReferenceHasEveryKey checks docs/configuration.md against the types.
func TestReferenceHasEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := append(keyPaths(reflect.TypeFor[hostSection](), ""), keyPaths(reflect.TypeFor[Mixin](), "")...)
	for _, s := range sections() {
		if !strings.Contains(string(text), "## `"+s.key+"`") {
			t.Errorf("docs/configuration.md has no heading for section %s", s.key)
		}
	}
	keys = append(keys, keysOf(prometheusType())...)
	for _, key := range keys {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/configuration.md lacks `%s`", key)
		}
	}
	if len(keys) < 25 {
		t.Errorf("got %d keys, want all", len(keys))
	}
}

// keyPaths lists the keys of a type that are not mappings themselves.
func keyPaths(typ reflect.Type, prefix string) []string {
	var all []string
	for _, f := range fields(typ) {
		path := prefix + f.key
		switch {
		case f.typ.Kind() == reflect.Struct:
			all = append(all, keyPaths(f.typ, path+".")...)
		case f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct:
			all = append(all, path)
			all = append(all, keyPaths(f.typ.Elem(), path+"[].")...)
		default:
			all = append(all, path)
		}
	}
	return all
}

// TestGuideLoads puts together what docs/start.md has the reader write, step by step.
func TestGuideLoads(t *testing.T) {
	text, err := os.ReadFile("../../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		file.WriteString(block[1])
	}
	secrets := map[string]string{
		"DISCORD_WEBHOOK": "https://discord.example/api/webhooks/1/x", "DEADMAN_URL": "https://deadman.example/1",
		"AUDIT_PASSWORD": "x", "AUDIT_KEY": "x", "AUDIT_SECRET": "x",
	}
	path := filepath.Join(t.TempDir(), "hedgewatch.yml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, Options{LookupEnv: env(secrets)}); err != nil {
		t.Errorf("docs/start.md: %v", err)
	}
}
