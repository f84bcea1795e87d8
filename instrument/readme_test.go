package instrument

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// describing is a registry that remembers the names of what is registered.
type describing struct {
	*prometheus.Registry
	names map[string]bool
}

func (d describing) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 10)
	c.Describe(descs)
	close(descs)
	for desc := range descs {
		d.names[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(desc.String())[1]] = true
	}
	return d.Registry.Register(c)
}

func TestREADMEListsEveryMetric(t *testing.T) {
	reg := describing{prometheus.NewRegistry(), make(map[string]bool)}
	build := map[string]func() error{
		"server":  func() error { _, err := NewHTTPServer(reg, HTTPServerConfig{}); return err },
		"client":  func() error { _, err := NewHTTPClient(reg, HTTPClientConfig{}); return err },
		"binance": func() error { _, err := NewBinance(reg, BinanceConfig{Client: "a", Governor: "http://a"}); return err },
		"sync":    func() error { _, err := NewSync(reg, SyncConfig{}); return err },
		"streams": func() error { _, err := NewStreams(reg, StreamsConfig{}); return err },
		"jobs":    func() error { _, err := NewJobs(reg); return err },
		"panics":  func() error { _, err := NewPanics(reg); return err },
		"build":   func() error { return RegisterBuildInfo(reg, "a", "v1") },
	}
	for part, f := range build {
		if err := f(); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:counter|gauge|histogram) \\|").FindAllSubmatch(readme, -1) {
		listed[string(m[1])] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(reg.names)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("metrics in the code (-) and in README.md (+):\n%s", diff)
	}
}
