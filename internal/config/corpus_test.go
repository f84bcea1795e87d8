package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	amconfig "github.com/prometheus/alertmanager/config"
	promconfig "github.com/prometheus/prometheus/config"
)

var discard = slog.New(slog.DiscardHandler)

func glob(t *testing.T, pattern string, atLeast int) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < atLeast {
		t.Fatalf("got %d files for %s, want at least %d", len(files), pattern, atLeast)
	}
	return files
}

func TestPrometheusFilesMeanTheSame(t *testing.T) {
	t.Setenv("TEST", "from the environment") // external_labels.good.yml has ${TEST}.
	for _, file := range glob(t, "testdata/prometheus/*.good.yml", 20) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := promconfig.LoadFile(file, false, discard)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Load(file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Prometheus, want) {
				t.Errorf("configuration (-want +got):\n%s", cmp.Diff(want.String(), got.Prometheus.String()))
			}
			gotJobs, err := got.Prometheus.GetScrapeConfigs()
			if err != nil {
				t.Fatal(err)
			}
			wantJobs, err := want.GetScrapeConfigs()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(gotJobs, wantJobs) {
				t.Errorf("got other scrape configurations than Prometheus")
			}
			if !strings.HasPrefix(got.Text, want.String()) {
				t.Errorf("text (-want +got):\n%s", cmp.Diff(want.String(), got.Text))
			}
		})
	}
}

// TestAlertmanagerFilesMeanTheSame loads each file by name and inline.
func TestAlertmanagerFilesMeanTheSame(t *testing.T) {
	for _, file := range glob(t, "testdata/alertmanager/*.yml", 12) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := write(t, map[string]string{
				"alertmanager.yml": string(text),
				"by_name.yml":      "alertmanager: {config_file: alertmanager.yml}",
				"inline.yml":       "alertmanager:\n  " + strings.ReplaceAll(string(text), "\n", "\n  "),
			})
			want, err := amconfig.LoadFile(filepath.Join(dir, "alertmanager.yml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"by_name.yml", "inline.yml"} {
				got, err := Load(filepath.Join(dir, name), Options{})
				if err != nil {
					t.Fatal(err)
				}
				for field, value := range reflect.ValueOf(*want).Fields() {
					same := reflect.ValueOf(*got.Alerting.Alertmanager).FieldByIndex(field.Index)
					// The one that is not exported is the text it was parsed from.
					if field.IsExported() && !reflect.DeepEqual(same.Interface(), value.Interface()) {
						t.Errorf("%s: %s differs; got %s\nwant %s", name, field.Name, got.Alerting.Alertmanager, want)
					}
				}
			}
		})
	}
}

func TestDefaultIsValid(t *testing.T) {
	c, err := Load("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Host.Enabled || !c.Mixin.Enabled || len(c.Warnings) > 0 {
		t.Errorf("got host %v, mixin %v, warnings %q, want both on and no warning", c.Host.Enabled, c.Mixin.Enabled, c.Warnings)
	}
	if got := c.Alerting.Alertmanager.Receivers[0].Name; got != "default" {
		t.Errorf("got receiver %q, want default", got)
	}
}
