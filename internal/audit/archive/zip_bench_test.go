package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A recorded day of bars, sixty times over with the times of sixty days, in zips as the
// exchange's archive has them: what an audit of one series does.
func BenchmarkAudit(b *testing.B) {
	dir := b.TempDir()
	day := time.Date(2023, 3, 24, 0, 0, 0, 0, time.UTC)
	lines := rows(b, "testdata/SOLUSDT-1m-2023-03-24.zip")
	const days = 60
	for n := range days {
		var text strings.Builder
		for _, line := range lines {
			fields := strings.Split(line, ",")
			for _, i := range []int{0, 6} {
				var ms int64
				if _, err := fmt.Sscan(fields[i], &ms); err != nil {
					b.Fatal(err)
				}
				fields[i] = fmt.Sprint(ms + int64(n)*24*time.Hour.Milliseconds())
			}
			for _, i := range []int{1, 2, 3, 4, 5, 7, 9, 10} { // All have eight decimals there.
				whole, decimals, _ := strings.Cut(fields[i], ".")
				fields[i] = whole + "." + decimals + strings.Repeat("0", 8-len(decimals))
			}
			text.WriteString(strings.Join(fields, ",") + "\n")
		}
		write(b, dir, "SOLUSDT-1m-"+day.AddDate(0, 0, n).Format(time.DateOnly)+".zip", text.String())
	}
	files, err := List(filepath.Join(dir, "*.zip"))
	if err != nil || len(files) != days {
		b.Fatalf("%d files, %v", len(files), err)
	}
	total := int64(0)
	before := cpuTime(b)
	for b.Loop() {
		report := Audit(b.Context(), files, Options{})
		total += report.Rows
		if report.Rows != days*int64(len(lines)) || len(report.Findings) != days {
			b.Fatalf("%d rows, %d findings", report.Rows, len(report.Findings))
		}
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(total), "cpu-ns/row")
}

// cpuTime is what the process has used.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(os.NewSyscallError("getrusage", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
