package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/history/anomaly"
)

func TestAnomaliesInWords(t *testing.T) {
	at := time.Date(2026, 5, 4, 13, 30, 0, 0, time.UTC)
	var got bytes.Buffer
	printAnomalies(&got, anomaly.Report{
		From: at.Add(-7 * 24 * time.Hour), To: at, StepSeconds: 300, Quiet: 3, Unknown: 1, Omitted: 2,
		Series: []anomaly.Series{{Labels: map[string]string{"job": "feed"}, Anomalies: []anomaly.Anomaly{
			{From: at.Add(-time.Hour), To: at.Add(-50 * time.Minute), Value: 412.345, Expected: anomaly.Band{Low: -9.99, High: 121}, Never: true},
			{From: at, To: at, Value: 60, Expected: anomaly.Band{Low: 1, High: 40}},
		}}},
	})
	want := `7 days until Mon 2026-05-04 13:30 UTC: 1 series with anomalies, 3 without, 1 with too little history
2 series more were not looked at; ask for fewer

{job="feed"}
  Mon 2026-05-04 12:30 UTC for 15m: 412.3, expected -9.99 to 121; never seen before
  Mon 2026-05-04 13:30 UTC for 5m: 60, expected 1 to 40; never so long at that time of the day
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
