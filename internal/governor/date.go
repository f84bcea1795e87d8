package governor

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// dateParser reads Date headers. It remembers the last one: the same comes with
// each answer of a second.
type dateParser struct{ last atomic.Pointer[parsedDate] }

type parsedDate struct {
	text string
	at   time.Time
}

// parse returns zero for an answer without a date.
func (d *dateParser) parse(h http.Header) time.Time {
	date := h["Date"]
	if len(date) != 1 {
		return time.Time{}
	}
	if last := d.last.Load(); last != nil && last.text == date[0] {
		return last.at
	}
	at, err := http.ParseTime(date[0])
	if err != nil {
		return time.Time{}
	}
	d.last.Store(&parsedDate{strings.Clone(date[0]), at})
	return at
}
