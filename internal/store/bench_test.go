package store_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

const benchSeries = 100_000

func benchLabels() []labels.Labels {
	series := make([]labels.Labels, benchSeries)
	for i := range series {
		series[i] = labels.FromStrings(model.MetricNameLabel, "bench_metric_"+strconv.Itoa(i%500),
			"instance", "host-"+strconv.Itoa(i/500)+":9100", "job", "node")
	}
	return series
}

// scrapeAll appends one sample per series, in commits of 500 as 200 targets do.
func scrapeAll(b *testing.B, appendable storage.Appendable, series []labels.Labels, refs []storage.SeriesRef, at int64) {
	b.Helper()
	for from := 0; from < len(series); from += 500 {
		app := appendable.Appender(context.Background())
		for i := from; i < from+500; i++ {
			var err error
			if refs[i], err = app.Append(refs[i], series[i], at, float64(at/1000+int64(i))); err != nil {
				b.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend is one scrape of 100,000 known series.
func BenchmarkAppend(b *testing.B) {
	series, refs := benchLabels(), make([]storage.SeriesRef, benchSeries)
	b.Run("store", func(b *testing.B) {
		r := start(b, store.Config{Dir: b.TempDir()}, "")
		appendMany(b, r, series, refs)
	})
	clear(refs)
	b.Run("library", func(b *testing.B) {
		o := tsdb.DefaultOptions()
		o.WALCompression = compression.Snappy
		db, err := tsdb.Open(b.TempDir(), promslog.NewNopLogger(), nil, o, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		appendMany(b, db, series, refs)
	})
}

func appendMany(b *testing.B, appendable storage.Appendable, series []labels.Labels, refs []storage.SeriesRef) {
	scrapeAll(b, appendable, series, refs, dataStart)
	b.ReportAllocs()
	n := int64(1)
	for b.Loop() {
		scrapeAll(b, appendable, series, refs, dataStart+n*15_000)
		n++
	}
	b.ReportMetric(float64(benchSeries)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MiB")
}

// BenchmarkOpen is from New to ready after a kill, with ten minutes of 100,000
// series in the log.
func BenchmarkOpen(b *testing.B) {
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			openOnce(b, b.TempDir())
		}
	})
	dir := b.TempDir()
	r := start(b, store.Config{Dir: dir}, "")
	series, refs := benchLabels(), make([]storage.SeriesRef, benchSeries)
	for n := range int64(40) {
		scrapeAll(b, r, series, refs, time.Now().UnixMilli()/1000*1000+n*15_000)
	}
	killed := b.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	if err := r.stop(); err != nil {
		b.Fatal(err)
	}
	clear(series)
	runtime.GC()
	b.Run("100k-series", func(b *testing.B) {
		for b.Loop() {
			openOnce(b, killed)
		}
	})
	b.Run("100k-series-library", func(b *testing.B) {
		o := tsdb.DefaultOptions()
		o.WALCompression = compression.Snappy
		for b.Loop() {
			db, err := tsdb.Open(killed, promslog.NewNopLogger(), nil, o, nil)
			if err != nil {
				b.Fatal(err)
			}
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func openOnce(b *testing.B, dir string) {
	b.Helper()
	s, err := store.New(store.Config{Dir: dir}, parse(b, ""), store.Deps{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
