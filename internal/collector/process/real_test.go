package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

// serviceGroup matches the processes of start(t, name).
func serviceGroup(name string) Group {
	return Group{Name: name, Cmdline: []string{helperArg + name + "$"}}
}

func TestServiceAtWork(t *testing.T) {
	c := newCollector(t, "/proc", serviceGroup("work"))
	values(t, c)
	s := start(t, "work")
	idle := values(t, c)
	s.do("alloc")
	s.do("spin")
	s.do("write " + t.TempDir())
	busy := values(t, c)

	if got := busy[of("work", "num_procs")]; got != 1 {
		t.Errorf("got %v processes, want 1", got)
	}
	if got := busy[of("work", "memory_bytes", `memtype="resident"`)]; got < 64<<20 || got > 256<<20 {
		t.Errorf("got %v bytes resident, want 64 MiB and a bit", got)
	}
	cpu := func(v map[string]float64) float64 {
		return v[of("work", "cpu_seconds_total", `mode="user"`)] + v[of("work", "cpu_seconds_total", `mode="system"`)]
	}
	// All CPU time counts, for the service began under the collector's eyes.
	// The kernel's ticks are 10 ms each.
	if got := cpu(busy); got < 0.28 {
		t.Errorf("got %v CPU seconds, want at least 0.28", got)
	}
	if got := busy[of("work", "minor_page_faults_total")] - idle[of("work", "minor_page_faults_total")]; got < 1 {
		t.Errorf("got %v page faults, want some", got)
	}
	if got := busy[`namedprocess_namegroup_context_switches_total{ctxswitchtype="voluntary",groupname="work"}`]; got < 1 {
		t.Errorf("got %v context switches, want some", got)
	}
	if got := busy[of("work", "open_filedesc")]; got < 3 || got > 100 {
		t.Errorf("got %v files, want 3 and a few", got)
	}
	if got := busy[of("work", "worst_fd_ratio")]; got <= 0 || got > 0.5 {
		t.Errorf("got a share of %v of the limit on files, want little", got)
	}
	if got := busy[of("work", "num_threads")]; got < 2 {
		t.Errorf("got %v threads, want those of a Go program", got)
	}
	if age := float64(time.Now().UnixMilli())/1000 - busy[of("work", "oldest_start_time_seconds")]; age < -2 || age > 60 {
		t.Errorf("got a start time %v s ago, want now", age)
	}
	if _, err := os.Stat("/proc/self/io"); !errors.Is(err, fs.ErrNotExist) {
		written := of("work", "write_bytes_total")
		if _, ok := busy[written]; !ok {
			t.Errorf("%s is missing", written)
		}
		// Temporary directories in memory write nothing.
		if got := busy[written] - idle[written]; got != 0 && got < 4<<20 {
			t.Errorf("got %v bytes written, want 4 MiB", got)
		}
	}
}

func TestRestartOfService(t *testing.T) {
	const name = "restart"
	c := newCollector(t, "/proc", serviceGroup(name))
	want := func(step string, procs, restarted float64) map[string]float64 {
		t.Helper()
		v := values(t, c)
		if v[of(name, "num_procs")] != procs || v[of(name, restarts)] != restarted {
			t.Errorf("%s: got %v processes, %v restarts, want %v, %v", step, v[of(name, "num_procs")], v[of(name, restarts)], procs, restarted)
		}
		return v
	}
	want("born at 0", 0, 0)
	first := start(t, name)
	want("first sight", 1, 0)
	first.do("fork")
	want("a child is no restart", 2, 0)
	first.do("reap")
	want("nor is its end", 1, 0)
	first.do("spin")
	before := want("same process", 1, 0)
	first.kill()
	gone := want("gone", 0, 0)
	start(t, name)
	want("restarted", 1, 1)
	second := start(t, name)
	want("scaled up", 2, 1)
	second.kill()
	start(t, name)
	after := want("replaced between two scans", 2, 2)

	cpu := of(name, "cpu_seconds_total", `mode="user"`)
	if gone[cpu] < before[cpu] || after[cpu] < gone[cpu] {
		t.Errorf("CPU seconds went %v, %v, %v; want no step back", before[cpu], gone[cpu], after[cpu])
	}
}

// A wrapper executes the service: same process, other program.
func TestProcessThatExecutesAnotherProgram(t *testing.T) {
	c := newCollector(t, "/proc", serviceGroup("wrapper"), serviceGroup("wrapped"))
	s := start(t, "wrapper")
	for range 3 { // until the match is settled
		values(t, c)
	}
	s.do("spin")
	s.do("exec wrapped")
	v := values(t, c)
	if v[of("wrapper", "num_procs")] != 0 || v[of("wrapped", "num_procs")] != 1 {
		t.Errorf("got %v wrapper, %v wrapped, want 0, 1", v[of("wrapper", "num_procs")], v[of("wrapped", "num_procs")])
	}
	if got := v[of("wrapped", "cpu_seconds_total", `mode="user"`)]; got > 0.2 {
		t.Errorf("got %v CPU seconds, want none of what the wrapper used", got)
	}
}

func TestNewGroupsKeepCountersOfOldOnes(t *testing.T) {
	kept, added := serviceGroup("kept"), serviceGroup("added")
	c := newCollector(t, "/proc", kept)
	values(t, c)
	s, other := start(t, "kept"), start(t, "added")
	s.do("spin")
	other.do("spin")
	cpu := of("kept", "cpu_seconds_total", `mode="user"`)
	before := values(t, c)

	commit, err := c.Prepare(config("/proc", added, kept))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	after := values(t, c)
	if after[cpu] < before[cpu] || after[cpu] == 0 {
		t.Errorf("CPU seconds of the old group went from %v to %v", before[cpu], after[cpu])
	}
	if got := after[of("added", "cpu_seconds_total", `mode="user"`)]; after[of("added", "num_procs")] != 1 || got > 0.2 {
		t.Errorf("got %v processes with %v CPU seconds in the new group, want 1 counted from now on", after[of("added", "num_procs")], got)
	}
	if after[of("kept", restarts)] != 0 || after[of("added", restarts)] != 0 {
		t.Error("got a restart by a reload")
	}

	if _, err := c.Prepare(config("/elsewhere", kept)); err == nil || !strings.Contains(err.Error(), "needs a restart") {
		t.Errorf("other procfs: got %v, want that it needs a restart", err)
	}
	if _, err := c.Prepare(config("/proc", kept, kept)); err == nil {
		t.Error("bad configuration: got no error")
	}
}

// The I/O of other users' processes is not for everybody; here that of process 1.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() == 0 {
		runAsNobody(t)
		return
	}
	comm, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile("/proc/1/io"); !errors.Is(err, fs.ErrPermission) {
		t.Skipf("needs a process 1 of another user; reading its io: %v", err)
	}
	c := newCollector(t, "/proc", Group{Name: "init", Comm: []string{strings.TrimSpace(string(comm))}})
	v := values(t, c)
	if v[of("init", "num_procs")] < 1 || v[of("init", "memory_bytes", `memtype="resident"`)] == 0 {
		t.Errorf("got %v, want what anybody may read", v)
	}
	if got, ok := v[of("init", "read_bytes_total")]; ok {
		t.Errorf("got %v bytes read, want no such series", got)
	}
	if v["namedprocess_scrape_partial_errors"] == 0 || v["namedprocess_scrape_errors"] != 0 {
		t.Errorf("got %v, want partial errors only", v)
	}
}

// runAsNobody runs the calling test again, without root's privileges.
func runAsNobody(t *testing.T) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, binary, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestParseStatAgreesWithProcfs(t *testing.T) {
	procs, err := procfs.AllProcs()
	if err != nil {
		t.Fatal(err)
	}
	r := reader{root: "/proc"}
	compared := 0
	for _, p := range procs {
		want, err := p.Stat()
		if err != nil {
			continue // it has ended
		}
		data, err := r.read(p.PID, "stat")
		if err != nil {
			continue
		}
		comm, got, err := parseStat(data)
		if err != nil {
			t.Errorf("%q: %v", data, err)
			continue
		}
		if string(comm) != want.Comm || int(got.parent) != want.PPID || got.startTicks != want.Starttime ||
			got.stack != want.StartStack || uint(got.flags)&kernelThread != want.Flags&kernelThread {
			t.Errorf("%q: got %s %+v, want %+v", data, comm, got, want)
		}
		compared++
	}
	if compared == 0 {
		t.Error("no process was compared")
	}
}
