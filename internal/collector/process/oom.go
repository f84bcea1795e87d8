package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"syscall"

	"github.com/hedgewatch/hedgewatch/internal/cgroup"
)

const (
	kernelLogPath = "/dev/kmsg"
	// maxRecords bounds what is read of the kernel's log at a time; the rest
	// comes the next time.
	maxRecords = 10_000
	// maxControlGroups is how many control groups of one group of processes are
	// followed.
	maxControlGroups = 16
)

// kernelLog reads the kernel's log from now on.
type kernelLog struct {
	fd int
	// buf has room for any record; the kernel refuses to read into less.
	buf [8 << 10]byte
}

// openKernelLog needs CAP_SYSLOG where dmesg is restricted.
func openKernelLog(path string) (*kernelLog, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	l := &kernelLog{fd: fd}
	runtime.AddCleanup(l, func(fd int) { _ = syscall.Close(fd) }, fd) // Nothing was written.
	const end = 2
	if _, err := syscall.Seek(fd, 0, end); err != nil {
		return nil, fmt.Errorf("seek %s: %w", path, err)
	}
	return l, nil
}

// kills returns what the kernel has said since the last call of processes that it
// has killed for memory, by process id.
func (l *kernelLog) kills() (map[int]string, error) {
	var killed map[int]string
	for range maxRecords {
		n, err := ignoringEINTR(func() (int, error) { return syscall.Read(l.fd, l.buf[:]) })
		switch {
		case errors.Is(err, syscall.EAGAIN) || err == nil && n == 0:
			return killed, nil
		case errors.Is(err, syscall.EPIPE): // Records were lost before we read them.
			continue
		case err != nil:
			return killed, fmt.Errorf("read the kernel's log: %w", err)
		}
		if pid, text, ok := parseKill(l.buf[:n]); ok {
			if killed == nil {
				killed = map[int]string{}
			}
			killed[pid] = text
		}
	}
	return killed, nil
}

var killedProcess = regexp.MustCompile(`Killed process (\d+) \(`)

// parseKill reads a record of the kernel's log, as in
//
//	3,912,8123456,-;Memory cgroup out of memory: Killed process 4711 (feed) total-vm:8kB, …
//
// The first number is the level, and eight times who wrote it, 0 for the kernel:
// others may write there as well.
func parseKill(record []byte) (pid int, text string, ok bool) {
	head, message, found := bytes.Cut(record, []byte(";"))
	if !found {
		return 0, "", false
	}
	prefix, _, _ := bytes.Cut(head, []byte(","))
	if level, err := strconv.Atoi(string(prefix)); err != nil || level < 0 || level > 7 {
		return 0, "", false
	}
	message, _, _ = bytes.Cut(message, []byte("\n"))
	match := killedProcess.FindSubmatch(message)
	if match == nil {
		return 0, "", false
	}
	pid, err := strconv.Atoi(string(match[1]))
	return pid, string(message), err == nil
}

// oomWatch tells which groups have lost processes for memory. The kernel's log
// names the process; where it cannot be read, control groups count.
type oomWatch struct {
	log     *kernelLog // nil if it cannot be read.
	cgroups cgroup.FS
	// counts are the kills of the control groups that the processes of a group are
	// in, when they were last looked at.
	counts map[*group]map[string]uint64
}

// initialNamespace is the namespace of process ids that the kernel's log speaks
// of; PROC_PID_INIT_INO of Linux.
const initialNamespace = "pid:[4026531836]"

func newOOMWatch(procFS, log string, cgroups cgroup.FS) *oomWatch {
	w := &oomWatch{cgroups: cgroups, counts: map[*group]map[string]uint64{}}
	space, err := os.Readlink(procFS + "/1/ns/pid")
	if err != nil { // It takes CAP_SYS_PTRACE. Our own namespace is that of our own proc.
		space, _ = os.Readlink(procFS + "/self/ns/pid") // Empty if unknown.
	}
	if space == initialNamespace {
		w.log, _ = openKernelLog(log) // Without it, there are control groups.
	}
	return w
}

// look returns what is known of kills since the last look: for a group that lost
// a process the kernel's words, and an empty string for one that did not. A group
// that is not there is unknown. before are the processes of the scan before.
func (w *oomWatch) look(s *scanner, before map[int]*proc) map[*group]string {
	told := make(map[*group]string, len(s.groups))
	if w.log != nil {
		killed, err := w.log.kills()
		if err != nil {
			w.log = nil
			return w.count(s, told)
		}
		for _, g := range s.groups {
			told[g] = ""
		}
		for pid, text := range killed {
			for _, known := range []map[int]*proc{before, s.known} {
				if p := known[pid]; p != nil && p.group != nil {
					told[p.group] = text
				}
			}
		}
		return told
	}
	return w.count(s, told)
}

// count asks the control groups, each for as long as it is there.
func (w *oomWatch) count(s *scanner, told map[*group]string) map[*group]string {
	now := make(map[*group]map[string]uint64, len(s.groups))
	for _, g := range s.groups {
		now[g] = map[string]uint64{}
	}
	follow := func(g *group, path string) {
		if _, done := now[g][path]; done || now[g] == nil || len(now[g]) >= maxControlGroups {
			return
		}
		kills, err := w.cgroups.OOMKills(path)
		if err != nil {
			return
		}
		now[g][path] = kills
		before, followed := w.counts[g][path]
		switch {
		case followed && kills > before:
			told[g] = fmt.Sprintf("the kernel has killed %d of the processes of control group %s for memory", kills-before, path)
		case followed && told[g] == "":
			told[g] = ""
		}
	}
	for _, g := range s.groups {
		for path := range w.counts[g] {
			follow(g, path)
		}
	}
	for pid, p := range s.known {
		if !p.main || p.group == nil {
			continue
		}
		if p.memory == "" {
			if text, err := s.files.read(pid, "cgroup"); err == nil {
				p.memory, _ = cgroup.MemoryOf(text)
			}
		}
		if p.memory != "" {
			follow(p.group, p.memory)
		}
	}
	w.counts = now
	return told
}
