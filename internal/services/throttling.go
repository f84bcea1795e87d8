package services

const (
	// minPeriods is how many periods say something: ten seconds of work.
	minPeriods = 100
	// maxSamples, one each ten seconds, make the last minutes.
	maxSamples = 18
)

// Throttling is a stretch of time that ends with the observation, or with the
// process if it has ended since.
type Throttling struct {
	// Periods are those of the scheduler in which the instance wanted to run, 100
	// ms each as a rule, and Throttled those of them in which it had to stop
	// because its limit was used up; cgroup's cpu.stat, nr_periods and
	// nr_throttled.
	Periods, Throttled uint64
}

// Ratio is the share of periods that were cut short, false if there were too few
// to tell.
func (t *Throttling) Ratio() (float64, bool) {
	if t == nil || t.Periods < minPeriods {
		return 0, false
	}
	return float64(min(t.Throttled, t.Periods)) / float64(t.Periods), true
}

// ThrottlingSamples are counters of one instance, which begin with its run, the
// newest last. They are taken each ten seconds.
type ThrottlingSamples []Throttling

// Add notes a sample, and reports whether the ratio has changed.
func (s *ThrottlingSamples) Add(now Throttling) (changed bool) {
	before, knew := s.Window().Ratio()
	n := len(*s)
	if n > 0 && (now.Periods < (*s)[n-1].Periods || now.Throttled < (*s)[n-1].Throttled) {
		*s, n = nil, 0 // It has been started again.
	}
	if n == 0 {
		*s = append(*s, Throttling{})
	}
	*s = append(*s, now)
	if over := len(*s) - maxSamples; over > 0 {
		*s = append((*s)[:0], (*s)[over:]...)
	}
	after, knows := s.Window().Ratio()
	return knows != knew || after != before
}

// Window is how the limit has held the instance back in the last minutes; nil if
// nobody has looked.
func (s ThrottlingSamples) Window() *Throttling {
	n := len(s)
	if n == 0 {
		return nil
	}
	return &Throttling{Periods: s[n-1].Periods - s[0].Periods, Throttled: s[n-1].Throttled - s[0].Throttled}
}
