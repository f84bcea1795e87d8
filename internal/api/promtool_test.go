package api_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestPromtool asks with the real promtool, which `make tools` builds.
func TestPromtool(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		promtool = "../../.cache/bin/promtool"
	}
	if _, err := os.Stat(promtool); errors.Is(err, os.ErrNotExist) {
		if os.Getenv("REALPARTS") == "require" {
			t.Fatalf("no promtool at %s; run make tools, or set PROMTOOL", promtool)
		}
		t.Skipf("no promtool at %s; run make tools, or set PROMTOOL", promtool)
	}
	base, _ := newSystem(t).start(t)
	for _, tc := range []struct{ args, want string }{
		{"check healthy --url=" + base, "SUCCESS:  hedgewatch is Healthy."},
		{"check ready --url=" + base, "SUCCESS:  hedgewatch is Ready."},
		{"query instant " + base + " fills_total", "190"},
		{"query range --step=15s " + base + " fills_total", "190"},
		{"query series --match=fills_total " + base, `instance="e:1"`},
		{"query labels " + base + " job", "engine"},
	} {
		t.Run(tc.args[:strings.Index(tc.args, "http")], func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, promtool, strings.Fields(tc.args)...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("got %s %v, want something with %q", out, err, tc.want)
			}
		})
	}
}
