package process

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	// userHZ is the kernel's unit of time in /proc, fixed on all architectures
	// that Go runs on.
	userHZ = 100
	// kernelThread is PF_KTHREAD in the flags of a process.
	kernelThread = 0x00200000
)

// stat is what we use of /proc/<pid>/stat. It is read for each process of the
// host in each scan, which is why it has a parser of its own: with that of
// package procfs a process costs twice the time and 31 allocations, not 2.
type stat struct {
	state         byte
	parent        uint64
	flags         uint64
	minorFaults   uint64
	majorFaults   uint64
	userTicks     uint64
	systemTicks   uint64
	threads       uint64
	startTicks    uint64 // since boot
	virtualBytes  uint64
	residentPages uint64
	// stack is the address of the stack, 0 if we may not see it. It is random,
	// so that it tells that a process has executed another program.
	stack uint64
}

// parseStat returns the command name, which shares data's memory, and the rest.
//
// A comm may hold anything, as in `42 (a) S (b)) S 1 …`: it ends at the last
// parenthesis.
func parseStat(data []byte) (comm []byte, s stat, err error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return nil, stat{}, fmt.Errorf("no command name in %q", data)
	}
	n := 3 // the number of the field in proc(5)
	for field := range bytes.FieldsSeq(data[end+1:]) {
		var to *uint64
		switch n {
		case 3:
			s.state = field[0]
		case 4:
			to = &s.parent
		case 9:
			to = &s.flags
		case 10:
			to = &s.minorFaults
		case 12:
			to = &s.majorFaults
		case 14:
			to = &s.userTicks
		case 15:
			to = &s.systemTicks
		case 20:
			to = &s.threads
		case 22:
			to = &s.startTicks
		case 23:
			to = &s.virtualBytes
		case 24:
			to = &s.residentPages
		case 28:
			to = &s.stack
		}
		if to != nil {
			v, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return nil, stat{}, fmt.Errorf("field %d: %w", n, err)
			}
			*to = v
		}
		if n == 28 {
			return data[open+1 : end], s, nil
		}
		n++
	}
	return nil, stat{}, fmt.Errorf("%d fields, want at least 28", n-1)
}

// number returns the number after key, which begins a line of data:
//
//	VmSwap:	      12 kB
func number(data []byte, key string) (uint64, bool) {
	for line := range bytes.Lines(data) {
		rest, ok := bytes.CutPrefix(line, []byte(key))
		if !ok {
			continue
		}
		for field := range bytes.FieldsSeq(rest) {
			v, err := strconv.ParseUint(string(field), 10, 64)
			return v, err == nil
		}
	}
	return 0, false
}
