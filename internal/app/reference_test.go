package app

import (
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// everything turns on each part that has metrics of its own.
const everything = `
host:
  processes: [{name: crawler, comm: [beam.smp]}]
binance:
  markets: {spot: {}, usdm: {}}
  connectivity: {}
governor: {listen: '127.0.0.1:0'}
services:
  docker: {}
audit:
  sources: [{name: platform, postgres: {dsn: 'postgres://127.0.0.1:1/platform'}}]
  datasets: [{source: platform, market: usdm, preset: ts_user_trades}]
  witness: {enabled: true}
  repair: {url: 'http://127.0.0.1:1/plans'}
heartbeats:
  in: [{name: nightly, interval: 1h, token: 0123456789abcdef}]
alertmanager:
  route: {receiver: nobody}
  receivers: [{name: nobody}]
`

// TestMetricsReference holds docs/metrics.md to what the parts register; -update
// rewrites it.
func TestMetricsReference(t *testing.T) {
	const path = "../../docs/metrics.md"
	dir := t.TempDir()
	file := filepath.Join(dir, "hedgewatch.yml")
	if err := os.WriteFile(file, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{
		ConfigFile:  file,
		StoragePath: filepath.Join(dir, "data"),
		Instance:    "here",
		Ruler:       ruler.DefaultOptions(),
		Web:         api.Config{ListenAddresses: []string{"127.0.0.1:0"}, ExternalURL: &url.URL{Scheme: "http", Host: "watch.example"}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()

	want := metricsReference(t, a.reg, a.serviceMetrics.(prometheus.Collector), a.connectivity, a.host.processes)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not current; run make generate", path)
	}
}

// description is how client_golang prints a Desc, which has no accessors.
var description = regexp.MustCompile(`^Desc\{fqName: "(.*?)", help: "(.*)", unit: "(?:.*)", constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)

func metricsReference(t *testing.T, parts ...prometheus.Collector) string {
	t.Helper()
	var lines []string
	for _, part := range parts {
		descs := make(chan *prometheus.Desc)
		go func() {
			part.Describe(descs)
			close(descs)
		}()
		for d := range descs {
			found := description.FindStringSubmatch(d.String())
			if found == nil {
				t.Fatalf("cannot read %s", d)
			}
			name, help, labels := found[1], found[2], strings.ReplaceAll(found[3], ",", ", ")
			if isOurs(name) {
				lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |\n", name, labels, strings.ReplaceAll(help, "|", `\|`)))
			}
		}
	}
	slices.Sort(lines)
	return "# Metrics\n\nGenerated from the program: what hedgewatch measures itself, by every part. Beside these it has the metrics of the\n" +
		"embedded Prometheus (`prometheus_*`) and Alertmanager (`alertmanager_*`), those of Go and of the process, and for the host\n" +
		"[node_exporter's](host-metrics.md). What a service of yours should expose is in [metrics-conventions](metrics-conventions.md).\n\n" +
		"| name | labels | meaning |\n| --- | --- | --- |\n" + strings.Join(slices.Compact(lines), "")
}

// isOurs tells hedgewatch's own metrics from those of the libraries in it.
func isOurs(name string) bool {
	for _, library := range []string{"prometheus_", "alertmanager_", "go_", "process_", "net_conntrack_", "promhttp_"} {
		if strings.HasPrefix(name, library) {
			return false
		}
	}
	return true
}
