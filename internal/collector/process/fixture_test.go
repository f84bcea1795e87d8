package process

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/procfs"
	"github.com/rogpeppe/go-internal/txtar"
)

// Each archive has the groups, a pattern of the series to show, the /proc of
// one or more scans, and what is exported after each.
func TestFixtures(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			var c *Collector
			var groups []Group
			show := regexp.MustCompile("")
			for i := range archive.Files {
				f := &archive.Files[i]
				scan, name, isProc := strings.Cut(f.Name, "/")
				switch {
				case f.Name == "groups.json":
					if err := json.Unmarshal(f.Data, &groups); err != nil {
						t.Fatal(err)
					}
				case f.Name == "show":
					show = regexp.MustCompile(strings.TrimSpace(string(f.Data)))
				case isProc:
					writeProc(t, root, name, strings.ReplaceAll(strings.TrimSuffix(string(f.Data), "\n"), "␀", "\x00"))
				default: // what scan exports
					if c == nil {
						c = newCollector(t, root, groups...)
					}
					got := text(values(t, c), show)
					if *update {
						f.Data = []byte(got)
					}
					if diff := cmp.Diff(string(f.Data), got); diff != "" {
						t.Errorf("%s: (-want +got):\n%s", scan, diff)
					}
					// The next scan starts from an empty /proc.
					clearProcs(t, root)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func text(values map[string]float64, show *regexp.Regexp) string {
	var b strings.Builder
	for _, series := range slices.Sorted(maps.Keys(values)) {
		if !show.MatchString(series) {
			continue
		}
		fmt.Fprintf(&b, "%s %v\n", series, values[series])
	}
	return b.String()
}

func writeProc(t testing.TB, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func clearProcs(t testing.TB, root string) {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// fake is a process of a fixture.
type fake struct {
	pid, parent       int
	comm              string
	start, user       uint64
	written, switches uint64
}

func (f fake) write(t testing.TB, root string) {
	dir := strconv.Itoa(f.pid) + "/"
	writeProc(t, root, dir+"stat", fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194560 10 0 2 0 %d 0 0 0 20 0 1 0 %d 8192 2 18446744073709551615 0 0 0",
		f.pid, f.comm, f.parent, f.user, f.start))
	writeProc(t, root, dir+"cmdline", "/usr/bin/"+f.comm+"\x00--name="+f.comm+"\x00")
	writeProc(t, root, dir+"status", fmt.Sprintf("VmSwap:\t12 kB\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t0\n", f.switches))
	writeProc(t, root, dir+"io", fmt.Sprintf("rchar: 1\nread_bytes: 0\nwrite_bytes: %d\n", f.written))
	writeProc(t, root, dir+"limits", "Limit Soft Limit\nMax open files            1024                 4096                 files     \n")
	writeProc(t, root, dir+"fd/0", "")
}

// newFakeRoot has what a /proc has beside processes.
func newFakeRoot(t testing.TB) string {
	root := t.TempDir()
	writeProc(t, root, "stat", "btime 1790000000\n")
	fake{pid: 1, comm: "init", start: 1}.write(t, root)
	return root
}

// The counters against a model that keeps each process apart: processes come,
// work, step back, go, and leave their ids to others.
func TestCountersAgreeWithModel(t *testing.T) {
	type key struct {
		pid   int
		start uint64
	}
	random := rand.New(rand.NewPCG(1, 2))
	root := newFakeRoot(t)
	c := newCollector(t, root, Group{Name: "g", Comm: []string{"member"}})
	alive := make(map[int]*fake)
	base, peak := make(map[key]uint64), make(map[key]uint64)
	var gone, wantRestarts int
	clock := uint64(100)
	for scan := range 200 {
		for pid := 100; pid < 106; pid++ {
			clock++
			f := alive[pid]
			switch {
			case f == nil && random.IntN(4) == 0:
				f = &fake{pid: pid, parent: 1, comm: "member", start: clock, user: random.Uint64N(50)}
				alive[pid] = f
				if scan == 0 {
					base[key{pid, f.start}] = f.user
				} else if gone > 0 {
					gone--
					wantRestarts++
				}
			case f == nil:
				continue
			case random.IntN(8) == 0:
				if err := os.RemoveAll(filepath.Join(root, strconv.Itoa(pid))); err != nil {
					t.Fatal(err)
				}
				delete(alive, pid)
				gone++
				continue
			case random.IntN(10) == 0:
				f.user -= min(f.user, 2)
			default:
				f.user += random.Uint64N(50)
			}
			f.write(t, root)
			k := key{pid, f.start}
			peak[k] = max(peak[k], f.user)
		}
		v := values(t, c)
		var want uint64
		for k := range peak {
			want += peak[k] - base[k]
		}
		if got := v[of("g", "cpu_seconds_total", `mode="user"`)]; got != float64(want)/userHZ {
			t.Fatalf("scan %d: got %v CPU seconds, want %v", scan, got, float64(want)/userHZ)
		}
		if got := v[of("g", "num_procs")]; got != float64(len(alive)) {
			t.Fatalf("scan %d: got %v processes, want %d", scan, got, len(alive))
		}
		// A main process that goes pays for one that comes in the same scan,
		// in whatever order the model saw them.
		got := v[of("g", restarts)]
		if diff := got - float64(wantRestarts); diff < 0 || diff > float64(gone) {
			t.Fatalf("scan %d: got %v restarts, want %d to %d", scan, got, wantRestarts, wantRestarts+gone)
		}
		gone -= int(got) - wantRestarts
		wantRestarts = int(got)
	}
	if wantRestarts < 10 {
		t.Errorf("got %d restarts in all, want a test that has some", wantRestarts)
	}
}

func TestProcThatCannotBeRead(t *testing.T) {
	root := newFakeRoot(t)
	g := Group{Name: "g", Comm: []string{"init"}}
	c := newCollector(t, root, g)
	if v := values(t, c); v[of("g", "num_procs")] != 1 {
		t.Fatalf("got %v, want one process", v)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"namedprocess_scrape_errors":          1,
		"namedprocess_scrape_partial_errors":  0,
		"namedprocess_scrape_procread_errors": 0,
	}
	if diff := cmp.Diff(want, values(t, c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err := New(config(root, g), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "host.path.procfs: ") {
		t.Errorf("got %v, want an error that names the key", err)
	}
}

// Opening a FIFO that nobody writes to hangs, as the command line of a process
// in uninterruptible sleep does.
func TestProcThatHangs(t *testing.T) {
	root := newFakeRoot(t)
	fake{pid: 7, comm: "stuck", start: 2}.write(t, root)
	fifo := filepath.Join(root, "7", "status")
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	g := Group{Name: "g", Comm: []string{"stuck"}}
	c := newCollector(t, root, g)
	quick := config(root, g)
	quick.ScrapeInterval = model.Duration(100 * time.Millisecond)
	commit, err := c.Prepare(quick)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	for i := range 3 {
		v := values(t, c)
		if _, ok := v[of("g", "num_procs")]; ok || v["namedprocess_scrape_errors"] != float64(i+1) {
			t.Errorf("got %v, want nothing but %d errors", v, i+1)
		}
	}
	if got := c.scanner.pid.Load(); got != 7 {
		t.Errorf("got process %d, want 7 to be the one that hangs", got)
	}
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if v := values(t, c); v[of("g", "num_procs")] == 1 {
			return
		}
	}
	t.Error("it did not recover")
}

// BenchmarkCollect is for a host with 1,000 processes, 30 of them in 3 groups.
func BenchmarkCollect(b *testing.B) {
	root := newFakeRoot(b)
	for i := range 1000 {
		comm := "other"
		if i%100 < 3 {
			comm = fmt.Sprintf("service%d", i%100)
		}
		fake{pid: 100 + i, parent: 1, comm: comm, start: uint64(i)}.write(b, root)
	}
	c := newCollector(b, root,
		Group{Name: "a", Comm: []string{"service0"}},
		Group{Name: "b", Exe: []string{"service1"}},
		Group{Name: "c", Cmdline: []string{"--name=service2"}})
	values(b, c)
	values(b, c)
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if got := len(c.scan()); got != 3*22 {
			b.Fatalf("got %d series", got)
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkLook is what a process of this host costs that is in no group, and
// what it would cost with the parser and reader of package procfs.
func BenchmarkLook(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		r := &reader{root: "/proc"}
		for b.Loop() {
			data, err := r.read(1, "stat")
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := parseStat(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("procfs", func(b *testing.B) {
		p, err := procfs.NewProc(1)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := p.Stat(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
