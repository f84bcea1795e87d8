package services_test

import (
	"strings"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// A log that tells nothing is read by all rules.
func BenchmarkDiagnose(b *testing.B) {
	log := []byte(strings.Repeat("2026-11-30T12:00:00.123Z INFO  stored 1000 rows of BTCUSDT in 12 ms, 3 of 200 symbols are left to do\n", 400))
	for b.Loop() {
		services.Diagnose(services.Observation{Exit: &services.Exit{Code: 1}}, log)
	}
}
