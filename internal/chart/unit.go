package chart

import (
	"math"
	"strconv"
	"strings"
)

// Unit is what values are measured in.
type Unit int

// The units.
const (
	Short        Unit = iota // A plain number: 1.5 k.
	Seconds                  // 250 ms, 1.5 s, 3 min.
	Milliseconds             // The same, of values in milliseconds.
	Bytes                    // 1.5 GiB.
	Percent                  // Of values from 0 to 100.
	Ratio                    // Per cent, of values from 0 to 1.
)

// A magnitude is a symbol and how much of the unit it stands for.
type magnitude struct {
	symbol string
	size   float64
}

// magnitudes are from small to large.
func (u Unit) magnitudes() []magnitude {
	switch u {
	case Seconds:
		return []magnitude{{"ns", 1e-9}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}}
	case Milliseconds:
		return []magnitude{{"µs", 1e-3}, {"ms", 1}, {"s", 1e3}, {"min", 60e3}, {"h", 3600e3}, {"d", 86400e3}}
	case Bytes:
		return []magnitude{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"PiB", 1 << 50}}
	case Percent:
		return []magnitude{{"%", 1}}
	case Ratio:
		return []magnitude{{"%", 0.01}}
	}
	return []magnitude{{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}}
}

// magnitude is the one in which a value has the fewest digits before the point.
func (u Unit) magnitude(v float64) magnitude {
	all := u.magnitudes()
	for i := len(all) - 1; i > 0; i-- {
		// 999.96 ms is shown with three digits, and 1 s is shorter than 1000 ms.
		if math.Abs(v) >= all[i].size*0.9995 {
			return all[i]
		}
	}
	return all[0]
}

// Format writes a value with three significant digits: 1.5 s, 12.3 k, 99.9 %.
func (u Unit) Format(v float64) string {
	if !finite(v) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	m := u.magnitude(v)
	v /= m.size
	digits := 2
	if a := math.Abs(v); a >= 99.95 {
		digits = 0
	} else if a >= 9.995 {
		digits = 1
	} else if a > 0 && a < 0.995 {
		digits = min(2-int(math.Floor(math.Log10(a))), 9)
	}
	if a := math.Abs(v); a >= 1e6 || a > 0 && a < 1e-6 {
		return join(strconv.FormatFloat(v, 'g', 3, 64), m)
	}
	return join(trim(strconv.FormatFloat(v, 'f', digits, 64)), m)
}

// tick writes a value of an axis whose ticks are step apart, all in one magnitude.
func tick(v, step float64, m magnitude) string {
	v, step = v/m.size, step/m.size
	if math.Abs(v) >= 1e7 || step < 1e-9 {
		return join(strconv.FormatFloat(v, 'g', 4, 64), m)
	}
	digits := 0
	// A step of 2.5 needs one digit more than one of 2.
	for s := step; digits < 9 && math.Abs(s-math.Round(s)) > 1e-6*s; s *= 10 {
		digits++
	}
	return join(strconv.FormatFloat(v, 'f', digits, 64), m)
}

func join(number string, m magnitude) string {
	if strings.Trim(number, "-0.") == "" {
		return "0" // Not -0.00, and of any unit.
	}
	switch m.symbol {
	case "":
		return number
	case "%":
		return number + "%"
	}
	return number + " " + m.symbol
}

// trim removes zeros after the point.
func trim(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimRight(strings.TrimRight(number, "0"), ".")
}
