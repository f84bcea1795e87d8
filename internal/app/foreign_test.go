package app_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// stockConfig is Prometheus' own example, documentation/examples/prometheus.yml
// of v0.315.0 (Apache-2.0), with the target's address to fill in.
const stockConfig = `
# my global config
global:
  scrape_interval: 1s # Set the scrape interval to every 15 seconds. Default is every 1 minute.
  evaluation_interval: 15s # Evaluate rules every 15 seconds. The default is every 1 minute.
  # scrape_timeout is set to the global default (10s).

# Alertmanager configuration
alerting:
  alertmanagers:
    - static_configs:
        - targets:
          # - alertmanager:9093

# Load rules once and periodically evaluate them according to the global 'evaluation_interval'.
rule_files:
  # - "first_rules.yml"
  # - "second_rules.yml"

# A scrape configuration containing exactly one endpoint to scrape:
scrape_configs:
  # The job name is added as a label ` + "`job=<job_name>`" + ` to any timeseries scraped from this config.
  - job_name: "node"
    # metrics_path defaults to '/metrics'
    # scheme defaults to 'http'.
    static_configs:
      - targets: [%q]
        labels:
          app: "node"
`

// TestForeignExporter scrapes a program that is not ours, by a file written for
// Prometheus.
func TestForeignExporter(t *testing.T) {
	program := os.Getenv("NODE_EXPORTER")
	if program == "" {
		if os.Getenv("REALPARTS") == "require" {
			t.Fatal("NODE_EXPORTER is not set")
		}
		t.Skip("NODE_EXPORTER does not name a node_exporter binary; make test builds one")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--web.listen-address="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		// It was killed; its status says only that.
		_ = cmd.Wait()
	})

	s := startServer(t, t.TempDir(), fmt.Sprintf(stockConfig, address))
	eventually(t, 20*time.Second, "a scrape of the foreign exporter", func() bool {
		return s.query(`up{job="node",app="node"}`, "instance")[address] == "1"
	})
	if got := s.query("node_exporter_build_info", "version"); len(got) != 1 {
		t.Errorf("got build info %v, want one", got)
	}
}
