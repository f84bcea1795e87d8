package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAttributesAreRead(t *testing.T) {
	out := `=== RUN   TestX/clock_ahead
=== ATTR  TestX/clock_ahead share 0.9899
    limit_test.go:1: === ATTR
=== ATTR  TestX/clock_ahead limited 1
=== ATTR  TestX/alone share much
=== ATTR  TestX share 1
=== ATTR  TestX/alone share 0.97
`
	got := map[string]map[string]float64{}
	for _, r := range parseAttributes([]byte(out)) {
		got[r.name] = r.values
	}
	want := map[string]map[string]float64{"clock ahead": {"share": 0.9899, "limited": 1}, "alone": {"share": 0.97}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
