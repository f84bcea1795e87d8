// Package cgroup reads what Linux counts for a control group: how often its CPU
// limit held it back, and how many of its processes were killed for memory. It
// knows both versions of control groups, and machines that have both at once.
//
// It is no way to the current use of CPU or memory, which exporters measure.
// Start with [FS].
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FS is where control groups are mounted.
type FS string

// Default is where every distribution mounts them.
const Default FS = "/sys/fs/cgroup"

// ErrUnknown says that the group, or the kernel, does not count it.
var ErrUnknown = errors.New("not counted")

// Throttling is how the CPU limit of a group has held it back since the group
// exists: periods of the scheduler in which it wanted to run, and those of them
// that its limit cut short.
type Throttling struct{ Periods, Throttled uint64 }

// Throttling reads nr_periods and nr_throttled of a group, as in
// "/system.slice/feed.service". A group without a limit has none.
func (fs FS) Throttling(group string) (t Throttling, err error) {
	text, err := fs.read(group, "cpu.stat", "cpu,cpuacct", "cpu")
	if err != nil {
		return t, err
	}
	periods, ok1 := field(text, "nr_periods")
	throttled, ok2 := field(text, "nr_throttled")
	if !ok1 || !ok2 {
		return t, fmt.Errorf("cpu.stat of %s: %w", group, ErrUnknown)
	}
	return Throttling{periods, throttled}, nil
}

// OOMKills is how many processes of a group the kernel has killed for memory,
// whether the group's was used up or the machine's; Linux 4.13 and later.
func (fs FS) OOMKills(group string) (uint64, error) {
	text, err := fs.read(group, "memory.oom_control", "memory")
	if err != nil {
		text, err = fs.read(group, "memory.events")
	}
	if err != nil {
		return 0, err
	}
	kills, ok := field(text, "oom_kill")
	if !ok {
		return 0, fmt.Errorf("kills for memory of %s: %w", group, ErrUnknown)
	}
	return kills, nil
}

// read returns a file of a group in the first place that has it: a hierarchy of
// version 1, or the one of version 2, which next to version 1 is called unified.
func (fs FS) read(group, file string, version1 ...string) ([]byte, error) {
	if !filepath.IsAbs(group) || strings.Contains(group, "..") {
		return nil, fmt.Errorf("control group %q: use a path as in /proc/self/cgroup", group)
	}
	places := version1
	if file != "memory.oom_control" { // Which version 2 does not have.
		places = append(places, "", "unified")
	}
	var first error
	for _, place := range places {
		text, err := os.ReadFile(filepath.Join(string(fs), place, group, file))
		if err == nil {
			return text, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// MemoryOf finds in the content of /proc/<pid>/cgroup the group that counts the
// memory of the process: "4:memory:/feed", or "0::/feed" of version 2.
func MemoryOf(text []byte) (group string, ok bool) {
	for line := range bytes.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		controllers, path, found := strings.Cut(rest, ":")
		switch {
		case !found || path == "":
		case controllers == "memory":
			return path, true
		case controllers == "":
			group, ok = path, true
		}
	}
	return group, ok
}

// field reads "name 12".
func field(text []byte, name string) (uint64, bool) {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
