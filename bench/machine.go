package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// describe says where, when and between whom this was measured. It names the
// class of the machine, never the machine.
func (b *bench) describe(ctx context.Context, now time.Time) string {
	form := either(b, "short form", "full form")
	lines := []string{
		fmt.Sprintf("Measured %s, %s.", now.UTC().Format(time.DateOnly), form),
		fmt.Sprintf("Machine: %d × %s, %s of memory, Linux %s, %s; load when it began: %s.",
			runtime.NumCPU(), fact("/proc/cpuinfo", "model name"), memory(),
			kernel(), runtime.Version(), load()),
		"Of " + strings.Join([]string{
			ownVersion(ctx, b.hedgewatch), versionOf(b.peer("prometheus")),
			versionOf(b.peer("alertmanager")), versionOf(b.peer("node_exporter")),
		}, ", ") + ".",
	}
	return strings.Join(lines, "\n") + "\n"
}

// fact is the value of the first line `key : value` of a file of the kernel's.
func fact(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// memory rounds to what the machine was ordered with.
func memory() string {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(fact("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err != nil {
		return "unknown size"
	}
	return fmt.Sprintf("%.0f GiB", kib/(1<<20))
}

// kernel is the version without what a distributor or a host adds to it.
func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	version, _, _ := strings.Cut(string(bytes.TrimSpace(text)), "-")
	return version
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// versionOf is the module version that a peer was built from.
func versionOf(binary string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "no " + filepath.Base(binary)
	}
	return path.Base(info.Main.Path) + " " + info.Main.Version
}

// ownVersion asks the binary under test: a working tree has no module version.
func ownVersion(ctx context.Context, binary string) string {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "hedgewatch of unknown version"
	}
	first, _, _ := strings.Cut(string(text), ",")
	return first
}
