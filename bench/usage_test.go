package main

import (
	"os"
	"testing"
	"time"
)

const (
	statLine   = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 9 0 12345 1000000 500 18446744073709551615\n"
	statusText = "Name:\ta\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\nRssAnon:\t  100 kB\nRssFile:\t 100 kB\n"
)

func TestParseUsage(t *testing.T) {
	for _, test := range []struct {
		name, stat, status string
		want               usage
		fails              bool
	}{
		{name: "name with parentheses", stat: statLine, status: statusText, want: usage{3 * time.Second, 200 << 10, 100 << 10}},
		{name: "cut short", stat: "42 (a) S 1 42", status: statusText, fails: true},
		{name: "no number", stat: "42 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 0 0", status: statusText, fails: true},
		{name: "a process that has ended", stat: statLine, status: "Name:\ta\nState:\tZ (zombie)\n", fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseUsage([]byte(test.stat), []byte(test.status))
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %+v, %v; want %+v, an error: %t", got, err, test.want, test.fails)
			}
		})
	}
}

func TestReadUsageOfThisProcess(t *testing.T) {
	u, err := readUsage(os.Getpid())
	if err != nil {
		t.Skipf("no such process information on this system: %v", err)
	}
	if u.anon <= 0 || u.rss < u.anon {
		t.Errorf("got %+v, want more resident than anonymous memory, and some", u)
	}
}

func FuzzParseUsage(f *testing.F) {
	f.Add([]byte(statLine), []byte(statusText))
	f.Add([]byte(")"), []byte("VmRSS:"))
	f.Fuzz(func(t *testing.T, stat, status []byte) {
		if u, err := parseUsage(stat, status); err != nil && u != (usage{}) {
			t.Errorf("got %+v beside error %v, want nothing", u, err)
		}
	})
}
