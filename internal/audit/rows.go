package audit

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Rows reads one dataset from where a platform keeps it. Its methods may be
// called at the same time.
type Rows interface {
	// Series lists what is there. Their Source and Market are set.
	Series(ctx context.Context) ([]Series, error)
	// Klines calls each for the bars of s that open in [from, to), in the order
	// of time; zero times are no bounds. The kline is valid during the call.
	Klines(ctx context.Context, s Series, from, to time.Time, each func(k *Kline, wrongUnit bool)) error
	// Entries does the same for rows with ids, in the order of time and id.
	Entries(ctx context.Context, s Series, from, to time.Time, each func(e *Entry)) error
}

// Replica is [Rows] that may be those of a copy which follows behind.
type Replica interface {
	// Behind is how old the state is that a later call may read; 0 for the store
	// itself. What should have been stored since is not missing.
	Behind(ctx context.Context) (time.Duration, error)
}

// behind asks rows that may be a replica.
func behind(ctx context.Context, rows Rows) (time.Duration, error) {
	if r, ok := rows.(Replica); ok {
		return r.Behind(ctx)
	}
	return 0, nil
}

// errBehind is why what a copy lacks is not taken for missing.
func errBehind(d time.Duration) error {
	return fmt.Errorf("the database is a standby that is %s behind, and what it lacks since may be there; read the primary, or see why replay lags", d.Round(100*time.Millisecond))
}

// Report is the outcome of an audit.
type Report struct {
	// Rows is the number of rows read.
	Rows     int64
	Series   []Result
	Findings []Finding
}

// Options of an audit of rows.
type Options struct {
	// From and To bound the time that is looked at; zero is where the rows begin
	// and end. Inside them every bar should be there.
	From, To time.Time
	// LateAfter is how late a row may be stored; zero does not look.
	LateAfter time.Duration

	// unsure is why the rows that are missing at the end may only be late; nil if
	// they are not.
	unsure error
}

// Once checks all series of rows. What cannot be read becomes a finding, and the
// others are checked all the same; the error is for no list of series.
func Once(ctx context.Context, rows Rows, o Options) (Report, error) {
	list, err := rows.Series(ctx)
	if err != nil {
		return Report{}, err
	}
	return CheckSeries(ctx, rows, list, o)
}

// CheckSeries checks the series of a list.
func CheckSeries(ctx context.Context, rows Rows, list []Series, o Options) (Report, error) {
	late, err := behind(ctx, rows)
	if err != nil {
		return Report{}, err
	}
	// At the end of the time that is looked at, rows may be on their way.
	if until := time.Now().Add(-late); late > 0 && !o.To.IsZero() && o.To.After(until) {
		o.unsure = errBehind(late)
	}
	results := make([]Result, len(list))
	crossed := make([][]Finding, len(list))
	work := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		workers.Go(func() {
			for i := range work {
				results[i], crossed[i] = checkOne(ctx, rows, list, i, o)
			}
		})
	}
	for i := range list {
		work <- i
	}
	close(work)
	workers.Wait()
	report := Report{Series: results, Findings: Attribute(results)}
	for i, r := range results {
		report.Rows += r.Rows
		report.Findings = append(report.Findings, crossed[i]...)
	}
	return report, nil
}

func checkOne(ctx context.Context, rows Rows, list []Series, i int, o Options) (Result, []Finding) {
	s := list[i]
	if s.Dataset != Klines {
		check := NewEntryCheck(s)
		check.LateAfter = o.LateAfter
		if err := rows.Entries(ctx, s, o.From, o.To, check.Add); err != nil {
			check.Unread(o.From, o.To, err)
		} else if o.unsure != nil {
			check.Unread(o.From, o.To, o.unsure)
		}
		return check.Result(o.From, o.To), nil
	}
	check, err := NewKlineCheck(s)
	if err != nil {
		return Result{Series: s, Findings: []Finding{{Series: s, Kind: Unchecked, Cause: Unknown, Evidence: err.Error()}}}, nil
	}
	check.LateAfter = o.LateAfter
	crosses := crossChecks(ctx, rows, list, s, o)
	if len(crosses) == 0 {
		err = check.Read(ctx, rows, o.From, o.To)
	} else {
		err = rows.Klines(ctx, s, o.From, o.To, func(k *Kline, wrongUnit bool) {
			check.Add(k, wrongUnit)
			if k.Broken != "" {
				return // The longer bar cannot be made.
			}
			for _, c := range crosses {
				c.Add(k)
			}
		})
	}
	if err != nil {
		check.Unread(o.From, o.To, err)
		return check.Result(o.From, o.To), nil
	}
	if o.unsure != nil && (check.rows == 0 || check.calendar.next(check.last) < o.To.UnixMicro()) {
		check.Unread(o.From, o.To, o.unsure)
	}
	var findings []Finding
	for _, c := range crosses {
		findings = append(findings, c.Findings()...)
	}
	return check.Result(o.From, o.To), findings
}

// crossChecks are those of the longer bars that are made of the bars of s.
func crossChecks(ctx context.Context, rows Rows, list []Series, s Series, o Options) []*CrossCheck {
	var checks []*CrossCheck
	for _, long := range list {
		plain := long
		plain.Interval = s.Interval
		if plain != s || !Nests(long.Interval, s.Interval) || shortest(list, long) != s.Interval {
			continue
		}
		var bars []Kline
		err := rows.Klines(ctx, long, o.From, o.To, func(k *Kline, _ bool) { bars = append(bars, *k) })
		if err != nil {
			continue // It is reported when the series itself is read.
		}
		c, err := NewCrossCheck(long, bars, s.Interval)
		if err != nil {
			panic(fmt.Sprintf("audit: %v, though it nests", err))
		}
		checks = append(checks, c)
	}
	return checks
}

// shortest is the interval of the shortest bars that those of long are made of.
func shortest(list []Series, long Series) Interval {
	var found []Interval
	for _, s := range list {
		plain := s
		plain.Interval = long.Interval
		if plain == long && Nests(long.Interval, s.Interval) {
			found = append(found, s.Interval)
		}
	}
	slices.SortFunc(found, func(a, b Interval) int {
		da, _ := a.duration()
		db, _ := b.duration()
		return int(da - db)
	})
	if len(found) == 0 {
		return ""
	}
	return found[0]
}
