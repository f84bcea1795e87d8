package archive

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
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

// Audit checks the klines in files, several at once. What cannot be read becomes a
// finding, and the other files are checked all the same.
func Audit(ctx context.Context, files []File, o Options) audit.Report {
	groups := bySeries(files)
	results := checkSeries(ctx, groups, o)
	report := audit.Report{Series: results, Findings: audit.Attribute(results)}
	for _, r := range results {
		report.Rows += r.Rows
	}
	report.Findings = append(report.Findings, crossCheck(groups, results, o)...)
	return report
}

// ordered calls do for each number below n, several at once, and use for what it
// returned, in order.
func ordered[T any](n int, do func(i int) T, use func(i int, result T)) {
	// Twice as many as there are processors, for one of them may take long.
	queue := make(chan chan T, 2*runtime.GOMAXPROCS(0))
	go func() {
		defer close(queue)
		for i := range n {
			result := make(chan T, 1)
			queue <- result
			go func() { result <- do(i) }()
		}
	}()
	for i := range n {
		use(i, <-<-queue)
	}
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

// checkSeries checks each file by itself, and joins those of a series.
func checkSeries(ctx context.Context, groups [][]File, o Options) []audit.Result {
	type part struct {
		check *audit.KlineCheck
		err   error
	}
	files := slices.Concat(groups...)
	results := make([]audit.Result, 0, len(groups))
	var series *audit.KlineCheck
	joined := 0 // files of the series
	ordered(len(files), func(i int) part {
		p := part{check: newCheck(files[i], o)}
		if o.concerns(files[i]) {
			p.err = o.addFile(ctx, p.check, files[i])
		}
		return p
	}, func(i int, p part) {
		f := files[i]
		group := groups[len(results)]
		if joined == 0 {
			series = newCheck(f, o)
		}
		if !series.Join(p.check) { // It has rows of an earlier file's time.
			p.err = o.addFile(ctx, series, f)
		}
		switch {
		case p.err != nil:
			series.Unread(o.since(f), o.until(f), p.err)
		case !f.To.IsZero() && o.concerns(f):
			series.FileEnds(f.Path, o.until(f))
		}
		if joined++; joined == len(group) {
			results = append(results, series.Result(o.From, o.To))
			joined = 0
		}
	})
	return results
}

func newCheck(f File, o Options) *audit.KlineCheck {
	check, err := audit.NewKlineCheck(o.series(f))
	if err != nil {
		panic(fmt.Sprintf("archive: %v, though List has checked it", err))
	}
	return check
}

func (o Options) addFile(ctx context.Context, check *audit.KlineCheck, f File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Klines(func(k *audit.Kline, wrongUnit bool) {
		if o.holds(k) {
			check.Add(k, wrongUnit)
		}
	})
}

// crossCheck holds the bars of each symbol against shorter ones.
func crossCheck(groups [][]File, results []audit.Result, o Options) []audit.Finding {
	long := map[int][]int{} // by the group of the shorter ones
	for i, group := range groups {
		j := slices.IndexFunc(groups, func(short []File) bool {
			return short[0].Symbol == group[0].Symbol && audit.Nests(group[0].Interval, short[0].Interval)
		})
		if j >= 0 && !results[i].Incomplete() && !results[j].Incomplete() { // What could not be read is reported already.
			long[j] = append(long[j], i)
		}
	}
	short := slices.Sorted(maps.Keys(long))
	var findings []audit.Finding
	ordered(len(short), func(n int) (found []audit.Finding) {
		j := short[n]
		var checks []*audit.CrossCheck
		for _, i := range long[j] {
			var bars []audit.Kline
			read(groups[i], o, func(k *audit.Kline) { bars = append(bars, *k) })
			check, err := audit.NewCrossCheck(o.series(groups[i][0]), bars, groups[j][0].Interval)
			if err != nil {
				panic(fmt.Sprintf("archive: %v, though it nests", err))
			}
			checks = append(checks, check)
		}
		read(groups[j], o, func(k *audit.Kline) {
			for _, check := range checks {
				check.Add(k)
			}
		})
		for _, check := range checks {
			found = append(found, check.Findings()...)
		}
		return found
	}, func(_ int, found []audit.Finding) { findings = append(findings, found...) })
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
