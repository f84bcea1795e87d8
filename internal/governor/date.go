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

// parse returns zero for what is no date.
func (d *dateParser) parse(date string) time.Time {
	if last := d.last.Load(); last != nil && last.text == date {
		return last.at
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return time.Time{}
	}
	d.last.Store(&parsedDate{strings.Clone(date), at})
	return at
}
