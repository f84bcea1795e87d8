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
}

// add files a repetition under the contender that it measured.
func (r *result) add(c contender, d time.Duration) {
	if c.ours {
		r.ours = append(r.ours, d.Seconds())
	} else {
		r.peer = append(r.peer, d.Seconds())
	}
}

// A unit shows a figure that is kept in the base unit: seconds or bytes.
type unit struct {
	symbol   string
	size     float64
	decimals int
}

func seconds() unit      { return unit{"s", 1, 2} }
func milliseconds() unit { return unit{"ms", 1e-3, 1} }
func megabytes() unit    { return unit{"MB", 1e6, 1} }

func (u unit) number(v float64) string { return fmt.Sprintf("%.*f", u.decimals, v/u.size) }

// show writes the median, and the range where there is one.
func (u unit) show(s sample) string {
	switch len(s) {
	case 0:
		return "–"
	case 1:
		return u.number(s[0]) + " " + u.symbol
	}
	return fmt.Sprintf("%s %s (%s–%s)", u.number(s.median()), u.symbol, u.number(s.min()), u.number(s.max()))
}

func (r result) target() string {
	switch {
	case r.most > 0:
		return fmt.Sprintf("≤ %g %s", r.most/r.unit.size, r.unit.symbol)
	case r.mostRatio > 0:
		return fmt.Sprintf("≤ %g × peer", r.mostRatio)
	}
	return ""
}

// ratio returns false where one of the two is missing.
func (r result) ratio() (float64, bool) {
	if len(r.ours) == 0 || len(r.peer) == 0 || r.peer.median() == 0 {
		return 0, false
	}
	return r.ours.median() / r.peer.median(), true
}

// verdict is empty where there is no target. Unmeasured is not met.
func (r result) verdict() string {
	if r.most == 0 && r.mostRatio == 0 {
		return ""
	}
	ratio, compared := r.ratio()
	switch {
	case len(r.ours) == 0 || r.mostRatio > 0 && !compared:
		return "not measured"
	case r.most > 0 && r.ours.median() > r.most, r.mostRatio > 0 && ratio > r.mostRatio:
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
			r.what, r.target(), r.unit.show(r.ours), r.unit.show(r.peer), ratio, r.verdict())
	}
	return b.String()
}
