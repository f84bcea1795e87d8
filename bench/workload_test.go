package main

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

func TestHundredThousandIsExact(t *testing.T) {
	seen := map[uint64]bool{}
	for _, in := range newInstances(hundredThousand()) {
		for _, s := range in.series {
			seen[s.labels.Hash()] = true
		}
	}
	if got, want := len(seen), 100_000; got != want {
		t.Errorf("got %d series, want %d", got, want)
	}
}

func TestBothServersGetTheSameValues(t *testing.T) {
	one, other, unlike := newInstance(7, 2), newInstance(7, 2), newInstance(8, 2)
	for range 10 {
		one.step()
		other.step()
		unlike.step()
	}
	got, want := one.appendText(nil), other.appendText(nil)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("two instances of one number differ (-want +got):\n%s", diff)
	}
	if bytes.Equal(unlike.appendText(nil), got) {
		t.Error("instances of two numbers are the same")
	}
}

func TestTextAndLabelsAreTheSameSeries(t *testing.T) {
	in := newInstance(1, 2)
	in.step()
	p := textparse.NewPromParser(in.appendText(nil), labels.NewSymbolTable(), false)
	for i := 0; ; i++ {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			if i != len(in.series) {
				t.Errorf("got %d series, want %d", i, len(in.series))
			}
			return
		}
		if err != nil || entry != textparse.EntrySeries {
			t.Fatalf("series %d: got entry %v, error %v", i, entry, err)
		}
		var got labels.Labels
		p.Labels(&got)
		_, _, value := p.Series()
		if !labels.Equal(got, in.series[i].labels) || value != in.series[i].value {
			t.Errorf("got %s %g, want %s %g", got, value, in.series[i].labels, in.series[i].value)
		}
	}
}

func TestHistogramsAreCumulative(t *testing.T) {
	in := newInstance(1, 3)
	for range 100 {
		in.step()
		for _, e := range in.paths {
			buckets := in.series[e.buckets : e.buckets+len(bounds())]
			for i := range buckets[1:] {
				if buckets[i].value > buckets[i+1].value {
					t.Fatalf("bucket %s has %g, more than %g in the next", buckets[i].text, buckets[i].value, buckets[i+1].value)
				}
			}
			if last, count := buckets[len(buckets)-1].value, in.series[e.count].value; last != count {
				t.Fatalf("bucket +Inf has %g, count is %g", last, count)
			}
		}
	}
}
