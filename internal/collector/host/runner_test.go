package host

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/node_exporter/collector"
)

// updateFunc is a node_exporter collector.
type updateFunc func(ch chan<- prometheus.Metric) error

func (f updateFunc) Update(ch chan<- prometheus.Metric) error { return f(ch) }

func gauge(name string) prometheus.Metric {
	return prometheus.MustNewConstMetric(prometheus.NewDesc(name, "Help.", nil, nil), prometheus.GaugeValue, 1)
}

func fine(ch chan<- prometheus.Metric) error {
	ch <- gauge("fine")
	return nil
}

func TestHangingCollectorIsReportedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var runs atomic.Int32
		var log bytes.Buffer
		c := newCollector(map[string]collector.Collector{
			"good": updateFunc(fine),
			"stuck": updateFunc(func(ch chan<- prometheus.Metric) error {
				runs.Add(1)
				ch <- gauge("stuck")
				<-release
				return nil
			}),
		}, 2*time.Second, slog.New(slog.NewTextHandler(&log, nil)))

		const names = "node_scrape_collector_success"
		for gather := range maxRuns + 2 {
			begin := time.Now()
			if err := testutil.GatherAndCompare(c, strings.NewReader(`
# HELP fine Help.
# TYPE fine gauge
fine 1
# HELP node_scrape_collector_success Whether a collector succeeded; 0 also where it found nothing to collect.
# TYPE node_scrape_collector_success gauge
node_scrape_collector_success{collector="good"} 1
node_scrape_collector_success{collector="stuck"} 0
`), names, "fine", "stuck"); err != nil {
				t.Errorf("gather %d: %v", gather, err)
			}
			want := 2 * time.Second
			if gather >= maxRuns {
				want = 0 // nothing new was started, so there is nothing to wait for
			}
			if got := time.Since(begin); got != want {
				t.Errorf("gather %d: took %v, want %v", gather, got, want)
			}
		}
		if got := runs.Load(); got != maxRuns {
			t.Errorf("got %d runs of the collector that hangs, want %d", got, maxRuns)
		}

		close(release)
		synctest.Wait()
		if err := testutil.GatherAndCompare(c, strings.NewReader(`
# HELP stuck Help.
# TYPE stuck gauge
stuck 1
`), "stuck"); err != nil {
			t.Errorf("after it recovered: %v", err)
		}
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("got %d log lines, want one that it fails and one that it works again:\n%s", got, &log)
		}
	})
}

func TestDurationOfHangingCollectorGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := newCollector(map[string]collector.Collector{
			"stuck": updateFunc(func(chan<- prometheus.Metric) error { <-release; return nil }),
		}, 2*time.Second, slog.New(slog.DiscardHandler))
		if _, err := c.Gather(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		// 2 s in the first gather, 3 s between, 2 s in the second.
		if err := testutil.GatherAndCompare(c, strings.NewReader(`
# HELP node_scrape_collector_duration_seconds Duration of a collector's run; of one that hangs, so far.
# TYPE node_scrape_collector_duration_seconds gauge
node_scrape_collector_duration_seconds{collector="stuck"} 7
`), "node_scrape_collector_duration_seconds"); err != nil {
			t.Error(err)
		}
		close(release)
	})
}

func TestFailureOfOneCollectorIsItsOwn(t *testing.T) {
	c := newCollector(map[string]collector.Collector{
		"good":   updateFunc(fine),
		"fails":  updateFunc(func(chan<- prometheus.Metric) error { return errors.New("no") }),
		"panics": updateFunc(func(chan<- prometheus.Metric) error { panic("bug") }),
		"empty":  updateFunc(func(chan<- prometheus.Metric) error { return collector.ErrNoData }),
	}, time.Minute, slog.New(slog.DiscardHandler))
	if err := testutil.GatherAndCompare(c, strings.NewReader(`
# HELP fine Help.
# TYPE fine gauge
fine 1
# HELP node_scrape_collector_success Whether a collector succeeded; 0 also where it found nothing to collect.
# TYPE node_scrape_collector_success gauge
node_scrape_collector_success{collector="empty"} 0
node_scrape_collector_success{collector="fails"} 0
node_scrape_collector_success{collector="good"} 1
node_scrape_collector_success{collector="panics"} 0
`), "fine", "node_scrape_collector_success"); err != nil {
		t.Error(err)
	}
}
