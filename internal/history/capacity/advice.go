package capacity

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Verdict is what an item comes to.
type Verdict string

// Verdicts, what needs somebody first.
const (
	Leak      Verdict = "leak"      // Memory that only grows: no size holds it.
	Risk      Verdict = "risk"      // The next peak may not fit.
	Over      Verdict = "over"      // More is granted than peaks and margin need.
	Unlimited Verdict = "unlimited" // No limit is known to hold it against.
	Fits      Verdict = "fits"
	Unknown   Verdict = "unknown" // Too little is known.
	Gone      Verdict = "gone"    // There is nothing of that name any more.
)

var verdicts = []Verdict{Leak, Risk, Over, Unlimited, Fits, Unknown, Gone}

const (
	// enough is for how long use must be known before a size follows from it.
	enough = 24 * time.Hour
	// wholeWeek, with some gaps, must be known before anything may be taken away:
	// the peak of Monday is not seen from Tuesday to Friday.
	wholeWeek = 6*24*time.Hour + 12*time.Hour
	// gapless is the share of that week that must be known.
	gapless = 0.8
	// goneAfter is how long something may be silent.
	goneAfter = time.Hour
	// ahead is the growth that a size holds.
	ahead = 4 * week
	// trustTrend is how far a trend may be carried on, in lengths of what was seen.
	trustTrend = 4
	// worthGiving is the share of what is granted that must be enough for it to be
	// called too much.
	worthGiving = 0.7
	// heldBack is the share of throttled periods that hurts.
	heldBack = 0.05
	// atLimit is how near to its limit a peak says more about the limit.
	atLimit = 0.95
	// clipped is by how much a limit is raised that hid what is needed.
	clipped = 1.5
)

// facts are what is known of an item.
type facts struct {
	source
	usage
	margin           float64
	step             time.Duration
	end              time.Time
	request, limit   *float64
	kills, throttled *float64
	// replicas are 0 if it has none of its own.
	replicas float64
}

// judge comes to a verdict, and says why.
func (f facts) judge(i *Item) {
	f.fillFacts(i)
	risks := f.risks(i)
	known := time.Duration(f.seen) * f.step
	i.Reason = f.seenText()
	switch {
	case f.end.Sub(f.last) > goneAfter:
		i.Verdict, i.Reason = Gone, "Not seen since "+Instant(f.last)+". "+i.Reason
		return
	case f.leaks():
		i.Verdict = Leak
		f.adviseLeak(i)
		return
	case len(risks) > 0:
		i.Verdict = Risk
		i.Reason += " " + strings.Join(risks, " ")
	case known < enough:
		i.Verdict = Unknown
		i.Reason += fmt.Sprintf(" Only %s are known; a size needs %s.", Length(known), Length(enough))
	case f.limit == nil && f.request == nil:
		i.Verdict = Unlimited
		i.Reason += " No limit is known."
	default:
		i.Verdict = Fits
	}
	if known < enough || f.kind == Exchange {
		f.advise(i, nil)
		return
	}
	n := f.need()
	i.Reason += n.text
	if i.Verdict == Fits && f.isOver(i, n, known) {
		i.Verdict = Over
	}
	f.advise(i, &n)
}

// fillFacts adds what follows from the limit and the trend.
func (f facts) fillFacts(i *Item) {
	if f.limit != nil && *f.limit > 0 {
		i.Headroom = new(1 - f.peak/(*f.limit))
	}
	perWeek, from := 0.0, f.peak
	if f.trend != nil {
		perWeek = f.trend.perWeek
	}
	if f.resource == disk || f.leaks() {
		from = f.newest // What was cleaned up is not in the way.
	}
	if f.leaks() {
		perWeek = 7 * f.leak.perDay
	}
	if perWeek == 0 {
		return
	}
	i.PerWeek = &perWeek
	if f.limit == nil || perWeek < 0 {
		return
	}
	if in := time.Duration(max(0, *f.limit-from) / perWeek * float64(week)); in <= f.horizon() {
		i.Full = f.last.Add(in).Truncate(time.Second)
	}
}

// horizon is how far ahead a trend is believed.
func (f facts) horizon() time.Duration { return min(365*24*time.Hour, trustTrend*f.span) }

// leaks tells whether it is memory that only grows. A whole machine's memory also
// grows by what is started on it, which is no leak.
func (f facts) leaks() bool { return f.leak != nil && f.resource == memory && f.kind != Host }

// risks are why the next peak may not fit, in sentences.
func (f facts) risks(i *Item) (risks []string) {
	say := func(format string, args ...any) { risks = append(risks, fmt.Sprintf(format, args...)) }
	if f.wasKilled() {
		what := "It was killed"
		if f.kind == Host {
			what = "The kernel killed processes"
		}
		say("%s for memory %s.", what, times(*f.kills))
	}
	if f.throttled != nil && *f.throttled >= heldBack {
		say("Its CPU limit held it back in %s of the scheduler's periods, so it wanted more than was seen.", percent(*f.throttled))
	}
	if f.limit != nil {
		peak, what := f.peak, "At the peak"
		if f.kind == Exchange {
			// A backfill may take all that others leave: only what lasts is a lack.
			peak, what = f.p95, "For 5 % of the time"
		}
		if left := 1 - peak/(*f.limit); peak*(1+f.margin) > *f.limit {
			say("%s only %s of the limit of %s were left; a margin of %s of the use is wanted.", what, percentFine(max(0, left)), Text(*f.limit, f.unit), percent(f.margin))
		}
	}
	if !i.Full.IsZero() && i.Full.Before(f.last.Add(ahead)) && !f.leaks() {
		say("It grows by %s a week and reaches the limit on %s.", Text(*i.PerWeek, f.unit), date(i.Full))
	}
	if f.request != nil && f.p99 > *f.request {
		say("For 1 %% of the time it used more than the %s that are reserved for it, and lives on what others leave.", Text(*f.request, f.unit))
	}
	return risks
}

// wasKilled tells whether it lacked memory. A machine counts also what the kernel
// killed at a limit of its own; with half of its memory free that is not its lack.
func (f facts) wasKilled() bool {
	if f.kills == nil || *f.kills < 0.5 {
		return false
	}
	return f.kind != Host || f.limit == nil || f.peak > *f.limit/2
}

func times(n float64) string {
	if n < 1.5 {
		return "once"
	}
	return fmt.Sprintf("%.0f times", n)
}

// seenText says what the use was like.
func (f facts) seenText() string {
	text := ""
	if f.replicas > 1 {
		text = fmt.Sprintf("The busiest of %.0f replicas: ", f.replicas)
	}
	text += fmt.Sprintf("usually %s, 99 %% of the time at most %s, peak %s on %s for %s",
		Text(f.usual, f.unit), Text(f.p99, f.unit), Text(f.peak, f.unit), Instant(f.peakAt), Length(f.peakFor))
	if f.limit != nil && *f.limit > 0 {
		text += fmt.Sprintf(", %s of the limit of %s", percentFine(f.peak/(*f.limit)), Text(*f.limit, f.unit))
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// need is the size that holds what was seen, and what comes.
type need struct {
	peak, p99 float64
	// least is that it may need more: something hid its peak.
	least bool
	text  string
}

// need adds growth and margin to what was seen.
func (f facts) need() need {
	grown, text := 0.0, ""
	if f.trend != nil && f.trend.perWeek > 0 {
		forward := min(ahead, f.horizon())
		grown = f.trend.perWeek * float64(forward) / float64(week)
		text = fmt.Sprintf(" and %s for the growth of %s", Text(grown, f.unit), Length(forward))
	}
	n := need{peak: roundUp((f.peak+grown)*(1+f.margin), f.unit), p99: roundUp((f.p99+grown)*(1+f.margin), f.unit)}
	if f.hidden() {
		n.least = true
		if more := roundUp(clipped**f.limit, f.unit); more > n.peak {
			n.peak = more
			n.text = " The limit hides how much it would use: half as much again is a start."
			return n
		}
	}
	n.text = fmt.Sprintf(" The peak with %s of margin%s makes %s.", percent(f.margin), text, Text(n.peak, f.unit))
	return n
}

// hidden tells whether the peak is where it was stopped.
func (f facts) hidden() bool {
	if f.limit == nil || (f.resource != cpu && f.resource != memory) || f.kind == Host {
		return false
	}
	return f.wasKilled() || f.throttled != nil && *f.throttled >= heldBack || f.peak >= atLimit**f.limit
}

// isOver tells whether something can be taken away, and how much.
func (f facts) isOver(i *Item, n need, known time.Duration) bool {
	if f.resource != cpu && f.resource != memory || f.span < wholeWeek || float64(known) < gapless*float64(f.span) {
		return false
	}
	granted, wanted := f.limit, n.peak
	if f.request != nil {
		granted = f.request
		if f.resource == cpu {
			wanted = n.p99
		}
	}
	if f.kind == Host && f.resource == cpu {
		wanted = math.Ceil(wanted)
	}
	if wanted > worthGiving**granted {
		return false
	}
	i.GiveBack = new((*granted - wanted) * max(1, f.replicas))
	return true
}

// adviseLeak recommends no size: it would be too small one day.
func (f facts) adviseLeak(i *Item) {
	i.Reason += fmt.Sprintf(" It only grows, by %s a day", Text(f.leak.perDay, f.unit))
	if f.leak.restarts > 0 {
		i.Reason += fmt.Sprintf(", and began anew %s", times(float64(f.leak.restarts)))
	}
	i.Reason += "."
	i.Advice = "Look for a leak rather than for more memory."
	if !i.Full.IsZero() {
		i.Advice += fmt.Sprintf(" Without a restart the limit is reached on %s.", Instant(i.Full))
	}
}

// advise says what to change; without a need only what is known without one.
func (f facts) advise(i *Item, n *need) {
	if n == nil {
		if i.Verdict == Risk {
			i.Advice = map[string]string{
				weight: "Spread the requests over time, lower the share of backfill, or add an address to governor.egress.",
				orders: "Spread the orders over time, or over accounts.",
			}[f.resource]
		}
		return
	}
	atLeast := ""
	if n.least {
		atLeast = "at least "
	}
	if i.Verdict == Fits {
		return
	}
	i.NewLimit = new(n.peak)
	switch {
	case f.kind == Workload:
		// CPU that is idle may be borrowed, so a reservation need not hold the
		// highest minute. Memory cannot be taken back but by a kill.
		i.NewRequest = new(n.peak)
		if f.resource == cpu {
			i.NewRequest = new(n.p99)
		}
		i.Advice = fmt.Sprintf("Set requests.%s to %s", f.resource, quantity(*i.NewRequest, f.unit))
		if f.resource == cpu && f.limit == nil {
			// Who has set none lets it borrow; that is left so.
			i.NewLimit = nil
			i.Advice += "."
			break
		}
		i.Advice += fmt.Sprintf(" and limits.%s to %s%s.", f.resource, atLeast, quantity(n.peak, f.unit))
	case f.kind == Container && f.resource == cpu:
		i.Advice = fmt.Sprintf("Give it %s--cpus=%s.", atLeast, digits(n.peak))
	case f.kind == Container:
		i.Advice = fmt.Sprintf("Give it %s--memory=%.0fm.", atLeast, n.peak/(1<<20))
	case f.kind == Unit && f.resource == cpu:
		i.Advice = fmt.Sprintf("Set CPUQuota= to %s%.0f%%.", atLeast, n.peak*100)
	case f.kind == Unit:
		i.Advice = fmt.Sprintf("Set MemoryMax= to %s%.0fM.", atLeast, n.peak/(1<<20))
	case f.kind == Process:
		i.Advice = fmt.Sprintf("Reserve %s for it.", Text(n.peak, f.unit))
	case f.kind == Host && f.resource == cpu:
		i.NewLimit = new(math.Ceil(n.peak))
		i.Advice = fmt.Sprintf("A machine with %.0f cores holds it.", *i.NewLimit)
	case f.kind == Host && f.resource == memory:
		i.Advice = fmt.Sprintf("A machine with %s of memory holds it.", Text(n.peak, f.unit))
	case f.resource == disk:
		i.Advice = fmt.Sprintf("Make it %s, or remove what is no longer needed.", Text(n.peak, f.unit))
	case f.resource == connections:
		i.Advice = fmt.Sprintf("Raise max_connections to %.0f, or let clients share connections by a pool.", n.peak)
	case f.resource == size:
		i.Advice = fmt.Sprintf("Keep %s of disk for it.", Text(n.peak, f.unit))
	}
}
