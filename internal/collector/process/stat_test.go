package process

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 4194560 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29\n"
	want := stat{
		state: 'S', parent: 1, flags: 4194560, minorFaults: 10, majorFaults: 12, userTicks: 14, systemTicks: 15,
		threads: 20, startTicks: 22, virtualBytes: 23, residentPages: 24, stack: 28,
	}
	tests := []struct {
		name, data, comm, err string
	}{
		{name: "plain", data: "42 (beam.smp)" + rest, comm: "beam.smp"},
		{name: "spaces", data: "42 (tmux: server)" + rest, comm: "tmux: server"},
		{name: "parentheses", data: "42 ((sd-pam))" + rest, comm: "(sd-pam)"},
		{name: "misleading", data: "42 (a) R 9 9 (b)" + rest, comm: "a) R 9 9 (b"},
		{name: "line break", data: "42 (a\nb)" + rest, comm: "a\nb"},
		{name: "empty comm", data: "42 ()" + rest, comm: ""},
		{name: "nothing", data: "", err: `no command name in ""`},
		{name: "closed before opened", data: ")(", err: "no command name"},
		{name: "truncated", data: "42 (a) S 1 2 3", err: "6 fields, want at least 28"},
		{name: "no number", data: "42 (a)" + strings.Replace(rest, " 14 ", " x ", 1), err: `field 14: strconv.ParseUint: parsing "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			comm, got, err := parseStat([]byte(tt.data))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(comm) != tt.comm {
				t.Errorf("got comm %q, want %q", comm, tt.comm)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(stat{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	data := []byte("VmSwap:\t      12 kB\nMax open files            unlimited            unlimited            files\nempty:\nlast: 7")
	for _, tt := range []struct {
		key    string
		want   uint64
		wantOK bool
	}{{"VmSwap:", 12, true}, {"last:", 7, true}, {"Max open files", 0, false}, {"empty:", 0, false}, {"Swap:", 0, false}} {
		if got, ok := number(data, tt.key); got != tt.want || ok != tt.wantOK {
			t.Errorf("%s: got %d %v, want %d %v", tt.key, got, ok, tt.want, tt.wantOK)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26"))
	f.Add([]byte("1 ()) R"))
	f.Add([]byte("1 (((((\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		comm, s, err := parseStat(data)
		if err != nil {
			return
		}
		// The name and the 26 fields behind it are all of what was given.
		_, rest, ok := bytes.Cut(data, append(append([]byte("("), comm...), ')'))
		if !ok || len(bytes.Fields(rest)) < 26 {
			t.Errorf("%q: got %q %+v", data, comm, s)
		}
	})
}

func FuzzNumber(f *testing.F) {
	f.Add([]byte("write_bytes: 12\n"), "write_bytes:")
	f.Add([]byte("\n\n"), "")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		if v, ok := number(data, key); !ok && v != 0 && v != 1<<64-1 {
			t.Errorf("got %d without a number", v)
		}
	})
}
