package archive

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Options of an audit of files.
type Options struct {
	// Market names the exchange's market, for the findings: spot, usdm, coinm.
	Market string
	// From and To bound the time that is looked at; zero is where the rows begin
	// and end. Inside them every bar should be there.
	From, To time.Time
}

// Audit checks the klines in files. What cannot be read becomes a finding, and
// the other files are checked all the same.
func Audit(ctx context.Context, files []File, o Options) audit.Report {
	groups := bySeries(files)
	results := make([]audit.Result, len(groups))
	var workers sync.WaitGroup
	work := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(groups)) {
		workers.Go(func() {
			for i := range work {
				results[i] = checkSeries(ctx, groups[i], o)
			}
		})
	}
	for i := range groups {
		work <- i
	}
	close(work)
	workers.Wait()

	report := audit.Report{Series: results, Findings: audit.Attribute(results)}
	for _, r := range results {
		report.Rows += r.Rows
	}
	report.Findings = append(report.Findings, crossCheck(groups, results, o)...)
	return report
}

// bySeries splits a sorted list of files.
func bySeries(files []File) [][]File {
	var groups [][]File
	for _, f := range files {
		last := len(groups) - 1
		if last >= 0 && groups[last][0].Symbol == f.Symbol && groups[last][0].Interval == f.Interval {
			groups[last] = append(groups[last], f)
			continue
		}
		groups = append(groups, []File{f})
	}
	return groups
}

func (o Options) series(f File) audit.Series {
	return audit.Series{Dataset: "klines", Market: o.Market, Symbol: f.Symbol, Interval: f.Interval}
}

func (o Options) holds(k *audit.Kline) bool {
	return (o.From.IsZero() || k.OpenTime >= o.From.UnixMicro()) && (o.To.IsZero() || k.OpenTime < o.To.UnixMicro())
}

// concerns reports whether a file can hold rows of the time that is looked at.
func (o Options) concerns(f File) bool {
	return f.To.IsZero() || (o.From.IsZero() || f.To.After(o.From)) && (o.To.IsZero() || f.From.Before(o.To))
}

// until is the end of what is looked at in a file.
func (o Options) until(f File) time.Time {
	if f.To.IsZero() || !o.To.IsZero() && o.To.Before(f.To) {
		return o.To
	}
	return f.To
}

func (o Options) since(f File) time.Time {
	if f.From.Before(o.From) {
		return o.From
	}
	return f.From
}

func checkSeries(ctx context.Context, files []File, o Options) audit.Result {
	check, err := audit.NewKlineCheck(o.series(files[0]))
	if err != nil {
		panic(fmt.Sprintf("archive: %v, though List has checked it", err))
	}
	for _, f := range files {
		if !o.concerns(f) {
			continue
		}
		err := ctx.Err()
		if err == nil {
			err = f.Klines(func(k *audit.Kline, wrongUnit bool) {
				if o.holds(k) {
					check.Add(k, wrongUnit)
				}
			})
		}
		switch {
		case err != nil:
			check.Unread(o.since(f), o.until(f), err)
		case !f.To.IsZero():
			check.FileEnds(f.Path, o.until(f))
		}
	}
	return check.Result(o.From, o.To)
}

// crossCheck holds the bars of each symbol against its shortest ones.
func crossCheck(groups [][]File, results []audit.Result, o Options) []audit.Finding {
	var findings []audit.Finding
	for i, long := range groups {
		j := slices.IndexFunc(groups, func(short []File) bool {
			return short[0].Symbol == long[0].Symbol && audit.Nests(long[0].Interval, short[0].Interval)
		})
		if j < 0 || results[i].Incomplete() || results[j].Incomplete() {
			continue // What could not be read is reported already.
		}
		var bars []audit.Kline
		read(long, o, func(k *audit.Kline) { bars = append(bars, *k) })
		check, err := audit.NewCrossCheck(o.series(long[0]), bars, groups[j][0].Interval)
		if err != nil {
			panic(fmt.Sprintf("archive: %v, though it nests", err))
		}
		read(groups[j], o, check.Add)
		findings = append(findings, check.Findings()...)
	}
	return findings
}

// read reads files that were read before.
func read(files []File, o Options, each func(*audit.Kline)) {
	for _, f := range files {
		if !o.concerns(f) {
			continue
		}
		_ = f.Klines(func(k *audit.Kline, _ bool) { // Its errors are in the findings of the first time.
			if o.holds(k) {
				each(k)
			}
		})
	}
}
