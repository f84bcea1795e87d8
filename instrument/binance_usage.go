package instrument

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// usage is what the exchange said was used of one limit, in each of its windows.
// Windows are fixed and follow the exchange's clock: the 1m window begins at :00
// and its count falls to 0 at the next one.
//
//	12:00:58 says 5800 · 12:00:59 says 5900 → 5900, and from 12:01:00 on 0 ·
//	an answer of 12:00:59 that comes at 12:01:00 is ignored
type usage struct {
	labels []string // All but the window.

	mu      sync.Mutex
	windows []window
}

type window struct {
	name   string
	length int64 // Seconds.
	start  int64 // Unix time, by the exchange's clock.
	used   int64
	// ends is the end of the window by our clock.
	ends time.Time
}

// maxWindows bounds the label window. The exchange has two at a time.
const maxWindows = 6

// observe takes a count that the exchange sent at its time server, Unix seconds.
func (u *usage) observe(name string, used, server int64, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	w := u.find(name)
	if w == nil {
		return
	}
	start := server - server%w.length
	switch {
	case start < w.start && now.Before(w.ends):
		// Answers overtake each other; this one is of a window that is over.
	case start == w.start:
		w.used = max(w.used, used)
	default:
		w.start, w.used = start, used
		w.ends = now.Add(time.Duration(start+w.length-server) * time.Second)
	}
}

func (u *usage) find(name string) *window {
	for i := range u.windows {
		if u.windows[i].name == name {
			return &u.windows[i]
		}
	}
	length, ok := parseWindow(name)
	if !ok || len(u.windows) == maxWindows {
		return nil
	}
	u.windows = append(u.windows, window{name: strings.Clone(name), length: length})
	return &u.windows[len(u.windows)-1]
}

// current is what is used of a window now, as far as we know.
func (u *usage) current(name string, now time.Time) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, w := range u.windows {
		if w.name == name && now.Before(w.ends) {
			return w.used
		}
	}
	return 0
}

func (u *usage) collect(ch chan<- prometheus.Metric, desc *prometheus.Desc, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, w := range u.windows {
		used := 0.0
		if now.Before(w.ends) {
			used = float64(w.used)
		}
		labels := append(u.labels[:len(u.labels):len(u.labels)], w.name)
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, used, labels...)
	}
}
