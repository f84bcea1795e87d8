package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// usage is what a process has used up and what it holds.
type usage struct {
	cpu time.Duration
	// rss counts the pages of the binary too, which are the kernel's to drop;
	// anon does not.
	rss, anon float64
}

// readUsage asks the kernel.
func readUsage(pid int) (usage, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return usage{}, fmt.Errorf("read what process %d uses: %w; the benchmarks need Linux", pid, err)
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return usage{}, err
	}
	return parseUsage(stat, status)
}

func parseUsage(stat, status []byte) (u usage, err error) {
	if u.cpu, err = parseCPU(stat); err != nil {
		return usage{}, err
	}
	if u.rss, err = statusBytes(status, "VmRSS:"); err != nil {
		return usage{}, err
	}
	if u.anon, err = statusBytes(status, "RssAnon:"); err != nil {
		return usage{}, err
	}
	return u, nil
}

// parseCPU adds up user and system time: fields 14 and 15 of proc_pid_stat(5).
func parseCPU(stat []byte) (time.Duration, error) { return parseTicks(stat, 14) }

// parseEndedCPU does so for the children that have ended: fields 16 and 17.
func parseEndedCPU(stat []byte) (time.Duration, error) { return parseTicks(stat, 16) }

// parseTicks adds up a field and the next. Field 2, the name, may itself hold
// spaces and parentheses.
func parseTicks(stat []byte, field int) (time.Duration, error) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	field -= 3
	if len(fields) < field+2 {
		return 0, fmt.Errorf("stat of a process: %q has too few fields", stat)
	}
	var ticks int64
	for _, field := range fields[field : field+2] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat of a process: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

func statusBytes(status []byte, key string) (float64, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte(key))
		if !ok {
			continue
		}
		kib, err := strconv.ParseFloat(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 64)
		return kib * 1024, err
	}
	return 0, fmt.Errorf("status of a process: no line %q", key)
}
