package process

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/cgroup"
)

func TestKillsAreReadFromRecordsOfTheKernelOnly(t *testing.T) {
	for record, want := range map[string]int{
		"3,912,8123456,-;Memory cgroup out of memory: Killed process 4711 (feed) total-vm:8kB, anon-rss:4kB\n SUBSYSTEM=x\n": 4711,
		"3,913,8123457,-;Out of memory: Killed process 12 (tmux: server) total-vm:8kB\n":                                     12,
		"6,914,8123458,-;oom_reaper: reaped process 4711 (feed), now anon-rss:0kB\n":                                         0,
		// Anybody with the right to write there can say so.
		"11,915,8123459,-;Out of memory: Killed process 4711 (feed)\n": 0,
		"3,916,8123460,-;Killed process 99999999999999999999 (feed)\n": 0,
		"": 0, ";": 0, "x,1,2,-;Killed process 1 (x)": 0,
	} {
		pid, _, ok := parseKill([]byte(record))
		if ok != (want > 0) || ok && pid != want {
			t.Errorf("%q: got %d, %v; want %d", record, pid, ok, want)
		}
	}
}

// memoryGroup is a control group with less memory than "alloc" takes.
func memoryGroup(t *testing.T) (procs, path string) {
	t.Helper()
	const limit = "33554432"
	parent, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && strings.Contains(string(controllers), "memory") {
		parent, file = "/sys/fs/cgroup", "memory.max"
	}
	path = fmt.Sprintf("/hedgewatch-oom-%d", os.Getpid())
	dir := filepath.Join(parent, path)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("missing: a control group of its own (root): %v", err)
	}
	t.Cleanup(func() {
		// Its processes are gone a moment after they were killed.
		for try := 0; os.Remove(dir) != nil && try < 100; try++ {
			time.Sleep(10 * time.Millisecond)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(limit), 0o644); err != nil {
		t.Skipf("missing: a memory limit: %v", err)
	}
	_ = os.WriteFile(filepath.Join(dir, "memory.memsw.limit_in_bytes"), []byte(limit), 0o644) // There may be no swap.
	_ = os.WriteFile(filepath.Join(dir, "memory.swap.max"), []byte("0"), 0o644)
	return filepath.Join(dir, "cgroup.procs"), path
}

func TestKernelSaysWhichGroupItHasKilledForMemory(t *testing.T) {
	procs, path := memoryGroup(t)
	for name, c := range map[string]struct {
		kernelLog, want string
	}{
		"by its log":            {kernelLogPath, "Killed process "},
		"by its control groups": {"/nonexistent", "control group " + path},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := NewFinder(config("/proc", serviceGroup("hog"), serviceGroup("bystander")), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			f.oom = newOOMWatch("/proc", c.kernelLog, cgroup.Default)
			if c.kernelLog == kernelLogPath && f.oom.log == nil {
				t.Skip("missing: the kernel's log (CAP_SYSLOG, and the first namespace of processes)")
			}
			hog := start(t, "hog")
			start(t, "bystander")
			if err := os.WriteFile(procs, []byte(fmt.Sprint(hog.cmd.Process.Pid)), 0o644); err != nil {
				t.Fatal(err)
			}
			find := func() []Found {
				found, err := f.Find(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return found
			}
			for range 2 {
				for _, g := range find() {
					if g.OOM != "" {
						t.Errorf("got %q of %s, which nobody has killed", g.OOM, g.Name)
					}
				}
			}
			fmt.Fprintln(hog.in, "alloc")
			if hog.answer.Scan() {
				t.Skipf("missing: a kernel that obeys the limit; got %q", hog.answer.Text())
			}
			said := ""
			for end := time.Now().Add(10 * time.Second); said == "" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				found := find()
				said = found[0].OOM
				if found[1].OOM != "" {
					t.Errorf("got %q of the bystander", found[1].OOM)
				}
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("got %q, want %q", said, c.want)
			}
		})
	}
}
