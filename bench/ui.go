package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// measureUI has the page's own test drive a browser, and Grafana's page beside it
// where Grafana is installed, and reads what it writes down.
func measureUI(ctx context.Context, b *bench) ([]result, error) {
	vitest, err := filepath.Abs(filepath.Join(b.page, "node_modules", ".bin", "vitest"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(vitest); err != nil {
		return nil, fmt.Errorf("%w; run `make build` first", err)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("%w: apt-get install chromium", err)
	}
	figures := filepath.Join(b.dir, "figures.json")
	cmd := exec.CommandContext(ctx, vitest, "run", "--config", "e2e/vitest.config.ts", "performance")
	cmd.Dir = b.page
	cmd.Env = append(os.Environ(), "HEDGEWATCH_BIN="+b.hedgewatch, "PROMTOOL="+b.peer("promtool"), "CHROMIUM="+chromium,
		"TMPDIR="+b.dir, "FIGURES="+figures, "ROUNDS="+strconv.Itoa(either(b, 2, 7)))
	out, runErr := cmd.CombinedOutput()
	text, err := os.ReadFile(figures)
	// The test fails where a bound of its own is passed; the figures are there all the same.
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("drive the page: %w\n%s", errors.Join(runErr, err), bytes.TrimSpace(out))
	}
	if err != nil {
		return nil, err
	}
	var seen struct{ Hedgewatch, Grafana []pageFigures }
	if err := json.Unmarshal(text, &seen); err != nil {
		return nil, fmt.Errorf("read %s: %w", figures, err)
	}
	peer := "peer: Grafana"
	if len(seen.Grafana) == 0 {
		peer = "Grafana is not installed"
	}
	line := func(what string, u unit, most float64, pick func(pageFigures) float64) result {
		return result{what: what, unit: u, most: most, ours: column(seen.Hedgewatch, pick), peer: column(seen.Grafana, pick)}
	}
	return []result{
		line("page of 12 panels with 400 lines: first paint, CPU of the browser; "+peer, seconds(), 2, func(f pageFigures) float64 { return f.Paint }),
		line("… 60 moves of the mouse, CPU of the browser", seconds(), 0.4, func(f pageFigures) float64 { return f.Moves }),
		line("… heap", megabytes(), 60e6, func(f pageFigures) float64 { return f.HeapBytes }),
		line("… scripts, compressed", kilobytes(), 350e3, func(f pageFigures) float64 { return f.ScriptBytes }),
	}, nil
}

// pageFigures is what one visit costs; see ui/e2e/performance.e2e.ts.
type pageFigures struct{ Paint, Moves, HeapBytes, ScriptBytes float64 }

func column(figures []pageFigures, pick func(pageFigures) float64) sample {
	var s sample
	for _, f := range figures {
		s = append(s, pick(f))
	}
	return s
}
