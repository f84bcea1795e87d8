package audit

import (
	"fmt"
	"slices"
	"time"
)

// Attribute says whose fault the gaps of several series are, and returns all
// findings in the order of time.
//
// A halt of the exchange leaves the same hole in every symbol: what is missing
// everywhere is the exchange's, what others have is the platform's. Where no
// other series was read, a gap is the platform's unless the bar before it was cut
// short, as bars are when trading is suspended in mid-interval.
//
// For example, BTC lacks 12:40 to 14:05 and SOL lacks 12:40 to 14:00: the
// exchange had none until 14:00, and the platform lost five rows of BTC after it.
func Attribute(results []Result) []Finding {
	var all []Finding
	groups := map[Series][]Result{}
	for _, r := range results {
		all = append(all, r.Findings...)
		peers := Series{Dataset: r.Series.Dataset, Market: r.Series.Market, Interval: r.Series.Interval}
		groups[peers] = append(groups[peers], r)
	}
	for _, group := range groups {
		all = append(all, attributeGroup(group)...)
	}
	sortFindings(all)
	return all
}

// attributeGroup judges the gaps of series that trade at the same time.
func attributeGroup(group []Result) []Finding {
	var v verdict
	for _, at := range boundaries(group) {
		var covering, missing []int
		for i, r := range group {
			if r.From.UnixMicro() > at || at >= r.To.UnixMicro() {
				continue
			}
			g := r.gapAt(at)
			if g != nil && g.unread {
				continue
			}
			covering = append(covering, i)
			if g != nil {
				missing = append(missing, i)
			}
		}
		v.segment(at, group, covering, missing)
	}
	return v.end()
}

// boundaries returns all times at which a gap or a series begins or ends.
func boundaries(group []Result) []int64 {
	var times []int64
	for _, r := range group {
		times = append(times, r.From.UnixMicro(), r.To.UnixMicro())
		for _, g := range r.gaps {
			times = append(times, g.from, g.to)
		}
	}
	slices.Sort(times)
	return slices.Compact(times)
}

func (r *Result) gapAt(t int64) *gap {
	i, found := slices.BinarySearchFunc(r.gaps, t, func(g gap, t int64) int {
		switch {
		case g.to <= t:
			return -1
		case g.from > t:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &r.gaps[i]
}

// verdict puts segments of one cause together into findings.
type verdict struct {
	done   []Finding
	common *Finding           // what the exchange had not, so far
	own    map[string]Finding // what the platform has lost, by series
}

// segment judges the time from at to the next boundary. Its end is not known
// here: a finding grows when the next segment goes on with it, and its count and
// end are set from the boundary that closes it.
func (v *verdict) segment(at int64, group []Result, covering, missing []int) {
	if v.own == nil {
		v.own = map[string]Finding{}
	}
	halted := len(missing) > 0 && len(missing) == len(covering) &&
		(len(missing) > 1 || group[missing[0]].gapAt(at).cutShort != 0)
	symbols := make([]string, 0, len(missing))
	for _, i := range missing {
		symbols = append(symbols, group[i].Series.Symbol)
	}
	if v.common != nil && (!halted || !slices.Equal(v.common.Symbols, symbols)) {
		v.close(*v.common, at, group)
		v.common = nil
	}
	if halted && v.common == nil {
		v.common = &Finding{
			Series: group[missing[0]].Series, Symbols: symbols, Kind: Missing, Cause: Exchange, From: micro(at),
			Evidence: evidenceOfHalt(group, missing, at),
		}
	}
	still := map[string]bool{}
	if !halted {
		for _, i := range missing {
			key, f := group[i].Series.String(), loss(at, group, i, covering, missing)
			open, going := v.own[key]
			if going && open.Cause != f.Cause {
				v.close(open, at, group)
			}
			if !going || open.Cause != f.Cause {
				v.own[key] = f
			}
			still[key] = true
		}
	}
	for key, f := range v.own {
		if !still[key] {
			v.close(f, at, group)
			delete(v.own, key)
		}
	}
}

// loss begins a finding for the series i alone.
func loss(at int64, group []Result, i int, covering, missing []int) Finding {
	f := Finding{Series: group[i].Series, Kind: Missing, Cause: Platform, From: micro(at), Evidence: evidenceOfLoss(group, covering, missing)}
	switch g := group[i].gapAt(at); {
	case g.file != "":
		f.Cause, f.Evidence = Archive, fmt.Sprintf("%s ends here, before the end of its time", g.file)
	case g.cutShort != 0 && g.from == at:
		// Another symbol has a bar all the same; that one is in doubt.
		f.Cause, f.Evidence = Exchange, evidenceOfHalt(group, []int{i}, at)
	}
	return f
}

// close ends a finding at a boundary.
func (v *verdict) close(f Finding, at int64, group []Result) {
	f.To = micro(at)
	f.Count = group[0].calendar.count(f.From.UnixMicro(), at)
	if len(f.Symbols) == 1 {
		f.Symbols = nil
	} else if len(f.Symbols) > 1 {
		f.Series.Symbol = ""
	}
	v.done = append(v.done, f)
}

// end returns the findings. Each series ends at a boundary, so none is open.
func (v *verdict) end() []Finding { return v.done }

func evidenceOfHalt(group []Result, missing []int, at int64) string {
	text := "every symbol that was read lacks these bars"
	if len(missing) == 1 {
		text = "the exchange suspended trading"
	}
	g := group[missing[0]].gapAt(at)
	calendar := group[missing[0]].calendar
	if g.cutShort != 0 {
		text += ", the bar before ends early at " + showTime(g.cutShort)
	}
	if g.idleFrom != 0 {
		text += fmt.Sprintf(", after %d bars without a trade since %s", calendar.count(g.idleFrom, g.from), showTime(g.idleFrom))
	}
	return text
}

func evidenceOfLoss(group []Result, covering, missing []int) string {
	if len(covering) == len(missing) {
		return "nothing says that the exchange lacks these bars; no other symbol was read for this time"
	}
	for _, i := range covering {
		if !slices.Contains(missing, i) {
			return fmt.Sprintf("%s has bars at this time", group[i].Series.Symbol)
		}
	}
	return ""
}

// VerifiedUntil returns the end of the range from r.From on in which nothing is
// missing by the platform's fault or unknown, by the findings of Attribute.
func (r *Result) VerifiedUntil(findings []Finding) time.Time {
	until := r.To
	for _, f := range findings {
		if f.Series == r.Series && f.Cause != Exchange && f.From.Before(until) {
			until = f.From
		}
	}
	return until
}
