package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarkdown(t *testing.T) {
	got := markdown([]result{
		{what: "absolute target, met", unit: seconds(), ours: sample{0.2, 0.1, 0.3}, peer: sample{5, 6}, most: 0.5},
		{what: "absolute target, missed by the median", unit: seconds(), ours: sample{0.6, 0.4, 0.6}, most: 0.5},
		{what: "absolute target at its bound", unit: megabytes(), ours: sample{120e6}, most: 120e6},
		{what: "ratio, met", unit: milliseconds(), ours: sample{0.0109}, peer: sample{0.01}, mostRatio: 1.1},
		{what: "ratio, missed", unit: milliseconds(), ours: sample{0.0111}, peer: sample{0.01}, mostRatio: 1.1},
		{what: "ratio without a peer", unit: milliseconds(), ours: sample{0.01}, mostRatio: 1.1},
		{what: "tail, missed by the slowest of a hundred", unit: milliseconds(), ours: slices.Concat(slices.Repeat(sample{0.01}, 98), sample{0.03, 0.04}), peer: sample{1, 2}, most: 0.02, tail: true},
		{what: "none, met", unit: count(), ours: sample{0, 0, 0}, peer: sample{3}, none: true},
		{what: "none, missed", unit: count(), ours: sample{1}, none: true},
		{what: "no target", unit: megabytes(), ours: sample{41e6}, peer: sample{40e6}},
		{what: "row: not measured"},
	})
	golden := filepath.Join("testdata", "table.md")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   sample
		want float64
	}{
		{sample{3}, 3},
		{sample{9, 1, 2}, 2},
		{sample{4, 1, 3, 2}, 2.5},
	} {
		if got := test.in.median(); got != test.want {
			t.Errorf("median of %v: got %g, want %g", test.in, got, test.want)
		}
	}
}
