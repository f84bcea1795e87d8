package audit

import (
	"fmt"
	"testing"
	"time"
)

// A day of minutes of 500 symbols is asked for in full pages: a third of spot's
// budget of a minute.
func TestADayOf500SymbolsIsAskedForWithin2000Weight(t *testing.T) {
	x, err := newExchange(Deps{}, DefaultWeightPerMinute)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	var weight int64
	for i := range 500 {
		s := Series{Dataset: Klines, Market: "spot", Symbol: fmt.Sprintf("S%dUSDT", i), Interval: "1m"}
		bars := 0
		for at := day; at.Before(day.AddDate(0, 0, 1)); {
			requests := x.klineRequests(s, at, day.AddDate(0, 0, 1))
			if len(requests) == 0 {
				break
			}
			weight += x.weight(requests[0].path, requests[0].query)
			bars += int(endOf(requests[0]).Sub(at) / time.Minute)
			at = endOf(requests[0])
		}
		if bars != 24*60 {
			t.Fatalf("%s: got requests for %d bars, want %d", s, bars, 24*60)
		}
	}
	if weight > 2000 {
		t.Errorf("got a weight of %d, want at most 2000", weight)
	}
}
