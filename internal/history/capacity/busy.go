package capacity

import (
	"fmt"
	"strings"
)

const (
	// standsOut is how far above the usual a peak must be for hours to be named.
	standsOut = 1.5
	// maxBusy hours of the week that are busy are a time of their own; more are
	// most of the time.
	maxBusy = hoursOfWeek / 2
	// maxBusyTexts bounds how many times are named.
	maxBusyTexts = 4
)

var days = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// busyHours says in which hours of the week, in UTC, the use is in the upper half
// between the usual and the peak: "Mon-Fri 13:00-16:00". Nothing if it is so all
// the time, or hardly ever anything above the usual.
func busyHours(u usage) []string {
	if u.peak < standsOut*u.usual {
		return []string{}
	}
	bar := u.usual + (u.peak-u.usual)/2
	busy := 0
	texts := []string{}
	var of [7]string // The times of each day.
	for day := range days {
		var times []string
		for hour := 0; hour < 24; hour++ {
			start := hour
			for hour < 24 && u.week[day*24+hour] >= bar { // Not if it is NaN.
				hour++
			}
			if hour > start {
				busy += hour - start
				times = append(times, fmt.Sprintf("%02d:00-%02d:00", start, hour))
			}
		}
		of[day] = strings.Join(times, ", ")
	}
	if busy > maxBusy {
		return []string{}
	}
	for day := 0; day < 7; {
		end := day + 1
		for end < 7 && of[end] == of[day] {
			end++
		}
		if of[day] != "" {
			name := days[day]
			switch end - day {
			case 1:
			case len(days):
				name = "daily"
			default:
				name += "-" + days[end-1]
			}
			texts = append(texts, name+" "+of[day])
		}
		day = end
	}
	return texts[:min(len(texts), maxBusyTexts)]
}
