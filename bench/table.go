package main

import (
	"fmt"
	"strings"
	"time"
)

// A result is one line of the table.
type result struct {
	what       string
	unit       unit
	ours, peer sample
	// most is the target for ours, in the base unit; 0 is no target.
	most float64
	// mostRatio is the target for ours divided by the peer's; 0 is no target.
	mostRatio float64
	// none makes zero the target.
	none bool
	// tail shows and judges the 99th percentile instead of the median.
	tail bool
}

// figure is the one number that stands for a sample.
func (r result) figure(s sample) float64 {
	if r.tail {
		return s.percentile(99)
	}
	return s.median()
}

// add files a repetition under the contender that it measured.
func (r *result) add(c contender, d time.Duration) {
	if c.ours {
		r.ours = append(r.ours, d.Seconds())
	} else {
		r.peer = append(r.peer, d.Seconds())
	}
}

// count files a repetition that is a number of things.
func (r *result) count(c contender, n int) {
	if c.ours {
		r.ours = append(r.ours, float64(n))
	} else {
		r.peer = append(r.peer, float64(n))
	}
}

// A unit shows a figure that is kept in the base unit: seconds, bytes or a count.
type unit struct {
	symbol   string
	size     float64
	decimals int
}

func seconds() unit      { return unit{"s", 1, 2} }
func milliseconds() unit { return unit{"ms", 1e-3, 1} }
func megabytes() unit    { return unit{"MB", 1e6, 1} }
func kilobytes() unit    { return unit{"KB", 1e3, 0} }
func cores() unit        { return unit{"% of a core", 0.01, 1} }
func count() unit        { return unit{"", 1, 0} }

func (u unit) number(v float64) string { return fmt.Sprintf("%.*f", u.decimals, v/u.size) }

// with writes a number and the symbol.
func (u unit) with(number string) string { return strings.TrimSpace(number + " " + u.symbol) }

// show writes the figure, and the range where there is one.
func (r result) show(s sample) string {
	u := r.unit
	switch {
	case len(s) == 0:
		return "–"
	case len(s) == 1:
		return u.with(u.number(s[0]))
	case r.tail:
		return fmt.Sprintf("%s (p50 %s, max %s)", u.with(u.number(r.figure(s))), u.number(s.median()), u.number(s.max()))
	}
	return fmt.Sprintf("%s (%s–%s)", u.with(u.number(s.median())), u.number(s.min()), u.number(s.max()))
}

func (r result) target() string {
	which := ""
	if r.tail {
		which = "p99 "
	}
	switch {
	case r.none:
		return "0"
	case r.most > 0:
		return r.unit.with(fmt.Sprintf("%s≤ %g", which, r.most/r.unit.size))
	case r.mostRatio > 0:
		return fmt.Sprintf("≤ %g × peer", r.mostRatio)
	}
	return ""
}

// ratio returns false where one of the two is missing.
func (r result) ratio() (float64, bool) {
	if len(r.ours) == 0 || len(r.peer) == 0 || r.figure(r.peer) == 0 {
		return 0, false
	}
	return r.figure(r.ours) / r.figure(r.peer), true
}

// verdict is empty where there is no target. Unmeasured is not met.
func (r result) verdict() string {
	if r.most == 0 && r.mostRatio == 0 && !r.none {
		return ""
	}
	ratio, compared := r.ratio()
	switch {
	case len(r.ours) == 0 || r.mostRatio > 0 && !compared:
		return "not measured"
	case r.none && r.ours.max() > 0, r.most > 0 && r.figure(r.ours) > r.most, r.mostRatio > 0 && ratio > r.mostRatio:
		return "**missed**"
	}
	return "met"
}

// markdown is the table of all results.
func markdown(results []result) string {
	var b strings.Builder
	b.WriteString("| what | target | hedgewatch | peer | ratio | |\n| --- | --- | ---: | ---: | ---: | --- |\n")
	for _, r := range results {
		ratio := "–"
		if v, ok := r.ratio(); ok {
			ratio = fmt.Sprintf("%.2f", v)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			r.what, r.target(), r.show(r.ours), r.show(r.peer), ratio, r.verdict())
	}
	return b.String()
}
