package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
)

const (
	hidden  = `p@ss "w0rd': #1/ü` // Everything that YAML, Go and URLs escape.
	webhook = "https://discord.com/api/webhooks/123456/t0ken-of-webhook"
)

func TestReferencesAreReplacedAndNeverShown(t *testing.T) {
	dir := write(t, map[string]string{
		"secret":  hidden + "\n",
		"webhook": webhook + "\r\n",
		"jobs.yml": `
scrape_configs:
  - job_name: c
    basic_auth: {username: u, password: 'x${env:SECRET}'}
    params: {key: ['${file:secret}']}
`,
		"am.yml": `
route: {receiver: "to ${env:SECRET}"}
receivers:
  - name: "to ${env:SECRET}"
    discord_configs:
      - webhook_url: ${file:webhook}
        title: "secret: ${file:secret}"
`,
		"hedgewatch.yml": `
global:
  external_labels:
    plain: ${file:secret}
    dollars: ${env:DOLLARS}
    prometheus: $$HOME
scrape_config_files: [jobs.yml]
scrape_configs:
  - job_name: a
    sample_limit: ${env:LIMIT}
    honor_labels: ${env:YES}
    metrics_path: /${env:SECRET}/x
    basic_auth:
      username: "${env:SECRET}"
      password: '${env:SECRET}'
    params:
      block:
        - |
          first
          ${env:SECRET}
    relabel_configs:
      - source_labels: [a]
        regex: (.*)
        target_label: b
        replacement: ${1}-$1-${env:SHORT}
remote_write:
  - url: https://user:${env:ESCAPED}@example.org/push?token=${env:ESCAPED}
alertmanager:
  config_file: am.yml
host:
  job_name: ${env:SECRET}
`,
	})
	vars := map[string]string{
		"SECRET": hidden, "LIMIT": "500", "YES": "true", "SHORT": "eu", "DOLLARS": "a$b$$c", "ESCAPED": "p%40ss-t0ken",
	}
	var logs strings.Builder
	logger := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := Load(filepath.Join(dir, "hedgewatch.yml"), Options{LookupEnv: env(vars), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}

	jobs, err := c.Prometheus.GetScrapeConfigs()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"labels":   c.Prometheus.GlobalConfig.ExternalLabels.String(),
		"limit":    jobs[0].SampleLimit,
		"honor":    jobs[0].HonorLabels,
		"path":     jobs[0].MetricsPath,
		"user":     jobs[0].HTTPClientConfig.BasicAuth.Username,
		"password": string(jobs[0].HTTPClientConfig.BasicAuth.Password),
		"block":    jobs[0].Params.Get("block"),
		"relabel":  jobs[0].RelabelConfigs[0].Replacement,
		"file":     string(jobs[1].HTTPClientConfig.BasicAuth.Password) + jobs[1].Params.Get("key"),
		"receiver": c.Alerting.Alertmanager.Route.Receiver,
		"webhook":  c.Alerting.Alertmanager.Receivers[0].DiscordConfigs[0].WebhookURL.URL.String(),
		"host":     c.Host.JobName,
	}
	want := map[string]any{
		"labels":   labels.FromStrings("plain", hidden, "dollars", "a$b$$c", "prometheus", "$HOME").String(),
		"limit":    uint(500),
		"honor":    true,
		"path":     "/" + hidden + "/x",
		"user":     hidden,
		"password": hidden,
		"block":    "first\n" + hidden + "\n",
		"relabel":  "${1}-$1-eu",
		"file":     "x" + hidden + hidden,
		"receiver": "to " + hidden,
		"webhook":  webhook,
		"host":     hidden,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}

	shown := c.Text + strings.Join(c.Warnings, "\n")
	for _, secret := range append(forms(hidden), append(forms(webhook), "t0ken-of-webhook", "p%40ss-t0ken", "w0rd")...) {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown in:\n%s", secret, shown)
		}
	}
	for _, ref := range []string{"/${env:SECRET}/x", "${1}-$1-${env:SHORT}", "to ${env:SECRET}", "secret: ${file:secret}", "<secret>"} {
		if !strings.Contains(shown, ref) {
			t.Errorf("the text lacks %q:\n%s", ref, shown)
		}
	}
	if strings.Contains(logs.String(), "w0rd") {
		t.Errorf("the log shows the secret:\n%s", logs.String())
	}
}

func TestSecretFileMustBeSmallAndRegular(t *testing.T) {
	dir := write(t, map[string]string{"big": strings.Repeat("x", maxSecretBytes+1), "bytes": "\xff"})
	for _, tt := range []struct{ ref, want string }{
		{"${file:big}", "larger than"},
		{"${file:.}", "not a regular file"},
		{"${file:/dev/zero}", "not a regular file"},
		{"${file:}", "not a regular file"},
		{"${file:bytes}", "not UTF-8"},
		{"${file:none}", "no such file"},
		{"${env:NONE}", "is not set"},
		{"${env:}", "is not set"},
	} {
		t.Run(tt.ref, func(t *testing.T) {
			s := secrets{lookupEnv: env(nil), values: map[string]string{}}
			_, err := s.resolve(tt.ref, dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestFlagsGiveRetentionUnlessTheFileDoes(t *testing.T) {
	flags := promconfig.TSDBRetentionConfig{Size: 1 << 30}
	for text, want := range map[string]string{
		"{}":                             "0s 1GiB",
		"":                               "0s 1GiB",
		"storage: {tsdb: {retention: }}": "0s 1GiB",
		"storage: {tsdb: {retention: {time: 1d}}}": "1d 0B",
	} {
		dir := write(t, map[string]string{"hedgewatch.yml": text})
		c, err := Load(filepath.Join(dir, "hedgewatch.yml"), Options{Retention: flags})
		if err != nil {
			t.Fatal(err)
		}
		r := c.Prometheus.StorageConfig.TSDBConfig.Retention
		if got := fmt.Sprint(r.Time, " ", r.Size); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestWarningsNameWhatIsProbablyNotMeant(t *testing.T) {
	dir := write(t, map[string]string{
		"token": "x",
		"hedgewatch.yml": `
global: {query_log_file: query.log}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: a
    authorization: {credentials_file: token}
  - job_name: b
    basic_auth: {username: b, password_file: missing}
`,
	})
	c, err := Load(filepath.Join(dir, "hedgewatch.yml"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(strings.Join(c.Warnings, "\n"), dir+"/", "")
	want := `hedgewatch.yml:3: rule_files[0]: no file matches
hedgewatch.yml:8: scrape_configs[1].basic_auth.password_file: stat missing: no such file or directory; requests that need it fail until it exists
hedgewatch.yml: alerts are shown but nobody is notified; add an alertmanager section, or alerting.alertmanagers`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
