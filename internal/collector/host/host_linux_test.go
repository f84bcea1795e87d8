package host

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// gather returns all families by name.
func gather(t testing.TB, g prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*dto.MetricFamily, len(families))
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// success returns node_scrape_collector_success of the named collector.
func success(t *testing.T, families map[string]*dto.MetricFamily, name string) bool {
	t.Helper()
	for _, m := range families["node_scrape_collector_success"].GetMetric() {
		if m.GetLabel()[0].GetValue() == name {
			return m.GetGauge().GetValue() == 1
		}
	}
	t.Fatalf("no result of collector %q", name)
	return false
}

func newDefault(t testing.TB) *Collector {
	t.Helper()
	c, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestThisHost(t *testing.T) {
	families := gather(t, newDefault(t))
	// What node-mixin's rules and the usual dashboards ask for, and every Linux has.
	for _, name := range []string{
		"node_cpu_seconds_total", "node_load1", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes",
		"node_filesystem_avail_bytes", "node_filesystem_readonly", "node_network_receive_bytes_total", "node_network_up",
		"node_vmstat_pgmajfault", "node_boot_time_seconds", "node_time_seconds", "node_timex_sync_status",
		"node_timex_offset_seconds", "node_filefd_allocated", "node_uname_info", "node_context_switches_total",
		"node_netstat_Tcp_CurrEstab", "node_sockstat_TCP_inuse", "node_softnet_dropped_total",
	} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"cpu", "filesystem", "loadavg", "meminfo", "netdev", "stat", "timex", "textfile"} {
		if !success(t, families, name) {
			t.Errorf("collector %q failed", name)
		}
	}
	series := 0
	for _, f := range families {
		series += len(f.GetMetric())
	}
	t.Logf("%d series on %d CPUs", series, runtime.NumCPU())
	// Per CPU: 10 of cpu, 7 of softnet, 3 of schedstat, 5 of cpufreq.
	if limit := 600 + 25*runtime.NumCPU(); series > limit {
		t.Errorf("got %d series, want at most %d", series, limit)
	}
}

func TestNewAgain(t *testing.T) {
	newDefault(t)
	logger := slog.New(slog.DiscardHandler)

	c := DefaultConfig()
	c.JobName, c.ScrapeInterval = "node", model.Duration(time.Minute)
	again, err := New(c, logger)
	if err != nil {
		t.Fatalf("with the same collectors: %v", err)
	}
	if again.patience != maxPatience {
		t.Errorf("got patience %v at an interval of 1m, want %v", again.patience, maxPatience)
	}
	gather(t, again)

	c.Collectors.Enable = []string{"arp"}
	if _, err := New(c, logger); !errors.Is(err, ErrNeedsRestart) || !strings.Contains(err.Error(), "needs a restart") {
		t.Errorf("with other collectors: got %v, want %v", err, ErrNeedsRestart)
	}
}

func TestNewWithoutProcFS(t *testing.T) {
	c := DefaultConfig()
	c.Path.ProcFS = t.TempDir()
	_, err := New(c, slog.New(slog.DiscardHandler))
	if err == nil || !strings.HasPrefix(err.Error(), "host.path.procfs: stat ") || !strings.HasSuffix(err.Error(), "or leave the key out") {
		t.Errorf("got %v, want an error that names the key and what to do", err)
	}
}

// only returns a configuration that runs no collectors but the named ones.
func only(names ...string) Config {
	c := DefaultConfig()
	for _, name := range defaultCollectors() {
		if !slices.Contains(names, name) {
			c.Collectors.Disable = append(c.Collectors.Disable, name)
		}
	}
	c.Collectors.Enable = names
	return c
}

// writeFile creates a file and the directories above it.
func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// In a container the host's file systems are mounted somewhere below /host.
func TestPathsOfContainer(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	host := t.TempDir()
	writeFile(t, host+"/proc/stat", "cpu 1 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\nbtime 1790000000\n")
	writeFile(t, host+"/proc/loadavg", "1.25 0.50 0.10 1/100 4242\n")
	writeFile(t, host+"/proc/1/mountinfo", strings.Join([]string{
		"30 1 8:1 / / rw - ext4 /dev/sda1 rw",
		"31 30 8:2 / /data rw - ext4 /dev/sdb1 rw",
		"32 30 0:5 / /proc rw - proc proc rw",
		"33 30 0:6 / /run/containerd/io.containerd.grpc.v1.cri/sandboxes/1/shm rw - tmpfs shm rw",
		"34 30 0:7 / /var/lib/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw",
		"35 30 0:8 / /run rw - tmpfs tmpfs rw",
	}, "\n")+"\n")
	for _, dir := range []string{"data", "run"} {
		if err := os.MkdirAll(filepath.Join(host, "root", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, host+"/text/backup.prom", "backup_last_success_timestamp_seconds 1.79e+09\n")

	config := only("loadavg", "filesystem", "textfile", "stat")
	config.Path.ProcFS, config.Path.SysFS, config.Path.RootFS = host+"/proc", host+"/sys", host+"/root"
	config.Collectors.Flags = map[string]string{"textfile.directory": host + "/text"}
	c, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := testutil.GatherAndCompare(c, strings.NewReader(`
# HELP backup_last_success_timestamp_seconds Metric read from `+host+`/text/backup.prom
# TYPE backup_last_success_timestamp_seconds untyped
backup_last_success_timestamp_seconds 1.79e+09
# HELP node_boot_time_seconds Node boot time, in unixtime.
# TYPE node_boot_time_seconds gauge
node_boot_time_seconds 1.79e+09
# HELP node_filesystem_device_error Whether an error occurred while getting statistics for the given device.
# TYPE node_filesystem_device_error gauge
node_filesystem_device_error{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/"} 0
node_filesystem_device_error{device="/dev/sdb1",device_error="",fstype="ext4",mountpoint="/data"} 0
node_filesystem_device_error{device="tmpfs",device_error="",fstype="tmpfs",mountpoint="/run"} 0
# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 1.25
`), "backup_last_success_timestamp_seconds", "node_boot_time_seconds", "node_filesystem_device_error", "node_load1"); err != nil {
		t.Error(err)
	}
}

// Opening a FIFO that nobody writes to hangs, as a file on a dead NFS mount does.
func TestTextfileThatHangs(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	dir := t.TempDir()
	fifo := filepath.Join(dir, "hangs.prom")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	config := only("textfile", "loadavg")
	config.ScrapeInterval = model.Duration(100 * time.Millisecond)
	config.Collectors.Flags = map[string]string{"textfile.directory": dir}
	c, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * maxRuns {
		families := gather(t, c)
		if success(t, families, "textfile") {
			t.Error("textfile: got success, want failure")
		}
		if !success(t, families, "loadavg") || families["node_load1"] == nil {
			t.Error("loadavg was held up by textfile")
		}
	}
	// Non-blocking, so that it also succeeds once all readers have left.
	w, err := os.OpenFile(fifo, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	w.Close()
	// The hung runs end as soon as they are scheduled.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if success(t, gather(t, c), "textfile") {
			return
		}
	}
	t.Error("textfile did not recover")
}

// A FUSE file system whose server never answers is as dead as a lost NFS server.
func TestMountThatHangs(t *testing.T) {
	if raceDetector {
		// TODO(when node_exporter is newer than v1.12.1): run it if the filesystem
		// collector's GetStats no longer appends from two goroutines.
		t.Skip("the race detector finds a race of node_exporter's own")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("needs /dev/fuse")
	}
	if !inOwnProcess(t, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}) {
		return
	}
	host := t.TempDir()
	dead := filepath.Join(host, "dead")
	writeFile(t, host+"/proc/stat", "btime 1790000000\n")
	writeFile(t, host+"/proc/1/mountinfo", "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"+
		"31 30 0:9 / "+dead+" rw - nfs4 server:/export rw\n")
	if err := os.Mkdir(dead, 0o755); err != nil {
		t.Fatal(err)
	}
	fuse, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("open /dev/fuse: %v", err)
	}
	if err := mountFUSE(dead, fuse); err != nil {
		t.Skipf("mount: %v", err)
	}

	config := only("filesystem", "stat")
	config.Path.ProcFS = host + "/proc"
	config.ScrapeInterval = model.Duration(3 * time.Second)
	c, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first := gather(t, c)
	if success(t, first, "filesystem") || first["node_boot_time_seconds"] == nil {
		t.Error("first gather: want filesystem to fail and nobody else")
	}
	// By now the mount is known to be dead, and the other ones are back.
	second := gather(t, c)
	if !success(t, second, "filesystem") || len(second["node_filesystem_avail_bytes"].GetMetric()) != 1 {
		t.Errorf("second gather: got %v, want the one file system that lives", second["node_filesystem_avail_bytes"])
	}
	// Closing the server's end wakes up whoever waits for it.
	if err := syscall.Unmount(dead, syscall.MNT_DETACH); err != nil {
		t.Error(err)
	}
	if err := syscall.Close(fuse); err != nil {
		t.Error(err)
	}
}

func TestGathersTakeTurns(t *testing.T) {
	c := newDefault(t)
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := c.Gather()
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkGather(b *testing.B) {
	c := newDefault(b)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		gather(b, c)
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkCollector measures each collector alone. HEDGEWATCH_BENCH_ENABLE
// names further ones, separated by spaces.
func BenchmarkCollector(b *testing.B) {
	config := DefaultConfig()
	config.Collectors.Enable = strings.Fields(os.Getenv("HEDGEWATCH_BENCH_ENABLE"))
	c, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range c.runners {
		b.Run(r.name, func(b *testing.B) {
			series := 0
			before := cpuTime(b)
			for b.Loop() {
				series = len((<-r.start()).metrics)
			}
			b.ReportMetric(float64(series), "series")
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
