package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// acceptance is the test whose figures are shown: ten clients ask for ten times the
// limit for half an hour. Its time is simulated, and that takes a test.
const acceptance = "TestTenTimesTheLimitForHalfAnHour"

// measureLimits runs the acceptance test of the governor and shows what it counted.
func measureLimits(ctx context.Context, b *bench) ([]result, error) {
	args := []string{"test", "./internal/governor", "-run", "^" + acceptance + "$", "-count=1", "-v"}
	if b.quick {
		args = append(args, "-short")
	}
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	runs := parseAttributes(out)
	if len(runs) == 0 {
		return nil, fmt.Errorf("go %s printed no figures: %w", strings.Join(args, " "), err)
	}
	var results []result
	for _, r := range runs {
		if r.name == "alone" || r.name == "futures" {
			results = append(results, result{what: "ten times the limit, " + r.name + ": answers 429", unit: count(), ours: r.sample("limited"), none: true})
		} else {
			results = append(results, result{what: "ten times the limit, " + r.name + ": answers 429, some for the discovery", unit: count(), ours: r.sample("limited")})
		}
		results = append(results,
			result{what: "… answers 418", unit: count(), ours: r.sample("banned"), none: true},
			result{what: "… weight used of what others leave, wanted ≥ 97 %", unit: unit{"%", 0.01, 2}, ours: r.sample("share")},
			result{what: fmt.Sprintf("… the slowest of %.0f orders and cancels to leave", r.sample("orders").max()), unit: milliseconds(), ours: r.sample("longest_seconds"), most: 0.05},
		)
	}
	return results, err
}

// attributes are what one part of a test said of itself.
type attributes struct {
	name   string
	values map[string]float64
}

func (a attributes) sample(key string) sample {
	v, ok := a.values[key]
	if !ok {
		return nil
	}
	return sample{v}
}

// parseAttributes reads the lines that testing.T.Attr writes:
//
//	=== ATTR  TestName/part_of_it key value
func parseAttributes(out []byte) (runs []attributes) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		const fields = 5
		if len(f) != fields || f[0] != "===" || f[1] != "ATTR" {
			continue
		}
		_, name, ok := strings.Cut(f[2], "/")
		value, err := strconv.ParseFloat(f[4], 64)
		if !ok || err != nil {
			continue
		}
		name = strings.ReplaceAll(name, "_", " ")
		at := slices.IndexFunc(runs, func(a attributes) bool { return a.name == name })
		if at < 0 {
			runs = append(runs, attributes{name: name, values: make(map[string]float64)})
			at = len(runs) - 1
		}
		runs[at].values[f[3]] = value
	}
	return runs
}
