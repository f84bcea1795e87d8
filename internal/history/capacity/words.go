package capacity

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Text writes a value in its unit: "1.25 cores", "3.4 GiB", "2,380".
func Text(v float64, unit string) string {
	switch unit {
	case cores:
		if digits(v) == "1" {
			return "1 core"
		}
		return digits(v) + " cores"
	case bytes:
		names := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
		i := 0
		for math.Abs(v) >= 1023.5 && i < len(names)-1 {
			v, i = v/1024, i+1
		}
		return digits(v) + " " + names[i]
	}
	if math.Abs(v) < 1000 {
		return digits(v)
	}
	text := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// digits keeps three that matter.
func digits(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*100), 'f', 0, 64) + " %"
}

// percentFine is for shares that may be small and not nothing.
func percentFine(share float64) string {
	if share > 0 && share < 0.01 {
		return "under 1 %"
	}
	return percent(share)
}

// Instant writes a time.
func Instant(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04 UTC") }

func date(t time.Time) string { return t.UTC().Format("Mon 2006-01-02") }

// Length writes a duration in the largest unit that fits: "4m", "6h", "5.3 days".
func Length(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return strconv.FormatFloat(math.Round(d.Hours()/2.4)/10, 'f', -1, 64) + " days"
	case d >= time.Hour && d%time.Hour < time.Minute:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dm", int(math.Ceil(d.Minutes())))
}

// roundUp makes a size that people would write.
func roundUp(v float64, unit string) float64 {
	var granule float64
	switch {
	case v <= 0:
		return 0
	case unit == cores && v < 1:
		granule = 0.05
	case unit == cores && v < 4:
		granule = 0.1
	case unit == cores:
		granule = 0.5
	case unit == bytes: // A sixteenth, of a power of two, and at least a MiB.
		granule = math.Max(1<<20, math.Exp2(math.Floor(math.Log2(v)))/16)
	default: // Two digits.
		granule = math.Max(1, math.Pow(10, math.Floor(math.Log10(v))-1))
	}
	steps := math.Ceil(v/granule - 1e-9)
	// Not steps*granule, which would make 0.15000000000000002.
	if granule < 1 {
		return steps / math.Round(1/granule)
	}
	return steps * granule
}

// quantity writes a value as Kubernetes takes it: "250m", "640Mi".
func quantity(v float64, unit string) string {
	if unit == cores {
		if v == math.Trunc(v) {
			return fmt.Sprint(v)
		}
		return fmt.Sprintf("%.0fm", v*1000)
	}
	return fmt.Sprintf("%.0fMi", v/(1<<20))
}
