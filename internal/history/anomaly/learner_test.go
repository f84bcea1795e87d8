package anomaly_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/history/anomaly"
)

var monday = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// teach lets a learner see f for some days, every five minutes, and returns when
// it ended and how many anomalies there were.
func teach(l *anomaly.Learner, days int, f func(at time.Duration) float64) (end time.Duration, anomalies int) {
	for end < time.Duration(days)*day {
		if _, is := l.Look(monday.Add(end), f(end)); is {
			anomalies++
		}
		end += 5 * time.Minute
	}
	return end, anomalies
}

func dayAndNight(r *rand.Rand) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		v := 10.0
		if hour := (at % day).Hours(); hour >= 8 && hour < 20 {
			v = 100
		}
		return v + 10*r.Float64() - 5
	}
}

func TestNothingIsAnAnomalyWithoutHistory(t *testing.T) {
	l := anomaly.NewLearner()
	for at := time.Duration(0); at < anomaly.Warmup; at += time.Hour {
		if b, is := l.Look(monday.Add(at), math.Exp(at.Hours())); is || b.Known {
			t.Fatalf("after %v: got %+v, %v", at, b, is)
		}
	}
}

func TestAnomalies(t *testing.T) {
	for _, tc := range []struct {
		name  string
		days  int
		hour  float64 // Of the day after.
		value float64
		lasts time.Duration
		want  bool
	}{
		{"what never was, at once", 14, 3, 150, 0, true},
		{"nothing where something always is", 14, 12, -20, 0, true},
		{"the usual by day", 14, 12, 98, day / 3, false},
		{"by night what is usual by day, for an hour", 14, 3, 98, time.Hour, false},
		{"by night what is usual by day, for hours", 14, 0.5, 98, 4 * time.Hour, true},
		{"by day what is usual by night, for hours", 14, 10, 10, 4 * time.Hour, true},
		{"the day begins an hour early", 14, 7, 98, 55 * time.Minute, false},
		{"too few days for a band of the day", 6, 0.5, 98, 4 * time.Hour, false},
		{"what never was, after three days", 3, 3, 150, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := anomaly.NewLearner()
			end, _ := teach(l, tc.days, dayAndNight(rand.New(rand.NewPCG(1, 1))))
			from := monday.Add(end + time.Duration(tc.hour*float64(time.Hour)))
			got := false
			for at := from; !at.After(from.Add(tc.lasts)); at = at.Add(5 * time.Minute) {
				_, is := l.Look(at, tc.value)
				got = got || is
			}
			if got != tc.want {
				b, _ := l.Look(from.Add(tc.lasts+time.Minute), tc.value)
				t.Errorf("got %v, want %v; bands %+v", got, tc.want, b)
			}
		})
	}
}

func TestUnknownValuesAreNeitherAnomaliesNorLearnt(t *testing.T) {
	l := anomaly.NewLearner()
	end, _ := teach(l, 14, dayAndNight(rand.New(rand.NewPCG(1, 1))))
	before, _ := l.Look(monday.Add(end), 10)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for range 500 {
			end += 5 * time.Minute
			if _, is := l.Look(monday.Add(end), v); is {
				t.Fatalf("%v is an anomaly", v)
			}
		}
	}
	after, _ := l.Look(monday.Add(end), 10)
	if after.All != before.All {
		t.Errorf("got %+v, want %+v", after.All, before.All)
	}
}

func TestAConstantMayRippleButNotChange(t *testing.T) {
	l := anomaly.NewLearner()
	end, n := teach(l, 10, func(time.Duration) float64 { return 100 })
	for value, want := range map[float64]bool{100.5: false, 99.5: false, 120: true, 0: true} {
		end += 5 * time.Minute
		if _, is := l.Look(monday.Add(end), value); is != want {
			t.Errorf("%v: got %v, want %v", value, is, want)
		}
	}
	if n != 0 {
		t.Errorf("got %d anomalies of a constant", n)
	}
}

// TestWhatIsOldIsForgotten: a month after a flood, the next one is news again.
func TestWhatIsOldIsForgotten(t *testing.T) {
	l := anomaly.NewLearner()
	f := dayAndNight(rand.New(rand.NewPCG(1, 1)))
	_, n := teach(l, 50, func(at time.Duration) float64 {
		switch at {
		case 10 * day, 12 * day, 45 * day:
			return 500
		}
		return f(at)
	})
	if n != 2 {
		t.Errorf("got %d anomalies, want those of day 10 and day 45", n)
	}
}

// TestWhatGoesOnStaysAnAnomalyForHours: it is not normal after half an hour.
func TestWhatGoesOnStaysAnAnomalyForHours(t *testing.T) {
	l := anomaly.NewLearner()
	end, _ := teach(l, 14, dayAndNight(rand.New(rand.NewPCG(1, 1))))
	for since := time.Duration(0); since < 12*time.Hour; since += 5 * time.Minute {
		_, is := l.Look(monday.Add(end+since), 500)
		if want := since < 2*time.Hour; want && !is {
			t.Fatalf("after %v it is normal", since)
		}
	}
	if _, is := l.Look(monday.Add(end+2*day), 500); is {
		t.Error("two days later it is not learnt")
	}
}

// TestSilenceIsNotOutside: what is not known does not make an anomaly of the two
// values around it.
func TestSilenceIsNotOutside(t *testing.T) {
	l := anomaly.NewLearner()
	end, _ := teach(l, 14, dayAndNight(rand.New(rand.NewPCG(1, 1))))
	for _, at := range []time.Duration{0, 5 * time.Hour} {
		if b, is := l.Look(monday.Add(end+at), 98); is || !b.Daily || b.OfDay.High > 98 {
			t.Errorf("after %v: got %v with %+v, want none outside of the band of the day", at, is, b)
		}
	}
}

// TestGapsInTimeAreNoHistory: after a month of silence there is nothing to go by.
func TestGapsInTimeAreNoHistory(t *testing.T) {
	l := anomaly.NewLearner()
	end, _ := teach(l, 14, dayAndNight(rand.New(rand.NewPCG(1, 1))))
	if b, is := l.Look(monday.Add(end+40*day), 1e6); is || b.Known {
		t.Errorf("got %+v, %v", b, is)
	}
}

func BenchmarkLook(b *testing.B) {
	l := anomaly.NewLearner()
	f := dayAndNight(rand.New(rand.NewPCG(1, 1)))
	at := time.Duration(0)
	for b.Loop() {
		l.Look(monday.Add(at), f(at))
		at += 5 * time.Minute
	}
}
