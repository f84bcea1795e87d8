package process

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// helperArg begins the only argument of a test binary that plays a service.
const helperArg = "helper="

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], helperArg) {
		playService()
		return
	}
	goleak.VerifyTestMain(m)
}

// playService says that it is there, obeys the commands on standard input, and
// answers each.
func playService() {
	fmt.Println("ready <nil>")
	var memory []byte
	defer func() { runtime.KeepAlive(memory) }()
	var child *exec.Cmd
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		var err error
		verb, argument, _ := strings.Cut(commands.Text(), " ")
		switch verb {
		case "alloc":
			memory = bytes.Repeat([]byte{1}, 64<<20)
		case "spin":
			for cpuTime() < 300*time.Millisecond {
			}
		case "write":
			err = writeToDisk(argument, 4<<20)
		case "fork":
			child = exec.Command("/proc/self/exe", os.Args[1])
			_, err = child.StdinPipe()
			if err == nil {
				err = child.Start()
			}
		case "reap":
			child.Process.Kill()
			child.Wait()
		case "exec":
			err = syscall.Exec("/proc/self/exe", []string{os.Args[0], helperArg + argument}, os.Environ())
		}
		fmt.Println(verb, len(memory), err)
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func writeToDisk(dir string, size int) error {
	f, err := os.Create(dir + "/written")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return err
	}
	return f.Sync()
}

// service is a real process that does what it is told.
type service struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.Writer
	answer *bufio.Scanner
}

func start(t *testing.T, name string) *service {
	t.Helper()
	s := &service{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], helperArg+name)}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in, s.answer = in, bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.expectAnswer("start")
	return s
}

// do gives a command and waits for the answer.
func (s *service) do(command string) {
	s.t.Helper()
	fmt.Fprintln(s.in, command)
	s.expectAnswer(command)
}

func (s *service) expectAnswer(command string) {
	s.t.Helper()
	if !s.answer.Scan() || !strings.HasSuffix(s.answer.Text(), "<nil>") {
		s.t.Fatalf("%s: got answer %q", command, s.answer.Text())
	}
}

func (s *service) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait() // an error: it was killed
}

func newCollector(t testing.TB, procFS string, groups ...Group) *Collector {
	t.Helper()
	c, err := New(config(procFS, groups...), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func config(procFS string, groups ...Group) Config {
	return Config{Groups: groups, ProcFS: procFS, ScrapeInterval: model.Duration(10 * time.Second)}
}

// values returns what c exports, by series.
func values(t testing.TB, c *Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		var v float64
		if _, err := fmt.Sscan(line[i:], &v); err != nil {
			t.Fatal(err)
		}
		values[line[:i]] = v
	}
	return values
}

// of is the name of a series of a group.
func of(group, name string, labels ...string) string {
	if name != "hedgewatch_process_restarts_total" {
		name = "namedprocess_namegroup_" + name
	}
	return fmt.Sprintf(`%s{%s}`, name, strings.Join(append([]string{`groupname="` + group + `"`}, labels...), ","))
}

const restarts = "hedgewatch_process_restarts_total"
