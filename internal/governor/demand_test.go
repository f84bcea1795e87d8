package governor

import (
	"testing"
	"time"
)

func TestDemandIsForetoldByTheWorstOfTheLastWindows(t *testing.T) {
	tests := []struct {
		name      string
		now, past demand
		elapsed   float64
		want      int64
	}{
		{"nothing known", demand{}, demand{}, 0.5, 0},
		{"as before", demand{}, demand{total: 600}, 0, 690},
		{"half is over", demand{total: 300}, demand{total: 600}, 0.5, 345},
		{"more than before", demand{total: 800}, demand{total: 600}, 0.5, 919},
		{"too early to tell", demand{total: 300}, demand{total: 600}, 0.05, 655},
		{"a burst until the end", demand{total: 600, burst: 120}, demand{total: 600, burst: 90}, 1, 120},
		{"the burst of a window before", demand{}, demand{total: 600, burst: 300}, 1, 300},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := ahead(test.now, test.past, test.elapsed); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestBurstIsWhatComesAtOnce(t *testing.T) {
	var d demand
	at := time.UnixMilli(1_700_000_040_000)
	for range 30 {
		d.add(at, 20)
		at = at.Add(time.Second)
	}
	if d.total != 600 || d.burst != 60 {
		t.Errorf("got %d with bursts of %d from 20 a second, want 600 and 60", d.total, d.burst)
	}
	d.add(at.Add(time.Minute), 250)
	d.add(at.Add(time.Minute), -5)
	if d.total != 850 || d.burst != 250 {
		t.Errorf("got %d with bursts of %d after one of 250, want 850 and 250", d.total, d.burst)
	}
	if got := d.atMost(100); got.total != 100 || got.burst != 100 {
		t.Errorf("got %+v, want no more than 100", got)
	}
	if got := d.atMost(-3); got.total != 0 || got.burst != 0 {
		t.Errorf("got %+v, want nothing", got)
	}
}
