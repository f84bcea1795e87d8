package instrument

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// exposed are the samples of a registry, `name{label="value"}` to value; of a
// histogram the number of observations. It gathers as a scrape does, so that
// inconsistent metrics fail the test.
func exposed(t testing.TB, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
			}
			slices.Sort(labels)
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			samples[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return samples
}

// wantSeries fails unless the series is exposed with the value.
func wantSeries(t testing.TB, reg prometheus.Gatherer, series string, want float64) {
	t.Helper()
	got, ok := exposed(t, reg)[series]
	if !ok {
		t.Errorf("%s is not exposed, want %v", series, want)
	} else if got != want {
		t.Errorf("got %s %v, want %v", series, got, want)
	}
}

// wantNoSeries fails if any series starts so.
func wantNoSeries(t testing.TB, reg prometheus.Gatherer, prefix string) {
	t.Helper()
	for series := range exposed(t, reg) {
		if strings.HasPrefix(series, prefix) {
			t.Errorf("%s is exposed, want nothing until it is known", series)
		}
	}
}

// total adds up the series of one name.
func total(t testing.TB, reg prometheus.Gatherer, name string) float64 {
	t.Helper()
	var sum float64
	for series, value := range exposed(t, reg) {
		if series == name || strings.HasPrefix(series, name+"{") {
			sum += value
		}
	}
	return sum
}
