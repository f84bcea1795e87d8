package archive

import (
	"sync/atomic"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// A recorded day in its zip, as the exchange's archive has it, read and checked by
// all processors: what an audit of many files does.
func BenchmarkZip(b *testing.B) {
	file, err := parseName("testdata/SOLUSDT-1m-2023-03-24.zip")
	if err != nil {
		b.Fatal(err)
	}
	var rows atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := audit.NewKlineCheck(audit.Series{Dataset: "klines", Symbol: "SOLUSDT", Interval: "1m"})
			if err != nil {
				b.Error(err)
				return
			}
			if err := file.Klines(c.Add); err != nil {
				b.Error(err)
				return
			}
			rows.Add(c.Result(file.From, file.To).Rows)
		}
	})
	b.ReportMetric(float64(rows.Load())/b.Elapsed().Seconds(), "rows/s")
}
