package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/history/capacity"
)

// TestCapacityInWords is golden: what people read of a report.
func TestCapacityInWords(t *testing.T) {
	const path = "testdata/capacity.txt"
	text, err := os.ReadFile("../../internal/history/capacity/testdata/report.json")
	if err != nil {
		t.Fatal(err)
	}
	var r capacity.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	printCapacity(&got, r)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
