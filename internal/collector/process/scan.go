package process

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"

	"github.com/prometheus/procfs"
)

// scanner follows the processes of the host from scan to scan. One goroutine
// at a time uses it.
type scanner struct {
	logger *slog.Logger
	fs     procfs.FS
	files  reader

	groups []*group
	known  map[int]*proc
	scans  uint64
	// light leaves out what only measures.
	light bool
	// hidden is true when some processes could not be seen in this scan, so
	// that a group without processes may well have some.
	hidden bool
	// noticed are the problems that have been logged and still last.
	noticed map[string]bool

	// pid is the process that is being read, for who waits for a scan.
	pid atomic.Int64
	// unreadable counts processes, partial single files of members.
	unreadable, partial atomic.Uint64
}

// regroup replaces the groups. One that stays as it is keeps its totals.
func (s *scanner) regroup(matchers []matcher) {
	groups := make([]*group, len(matchers))
	for i, m := range matchers {
		groups[i] = &group{matcher: m}
		for _, old := range s.groups {
			if equal(old.Group, m.Group) {
				groups[i] = old
			}
		}
	}
	s.groups = groups
	for _, p := range s.known {
		p.settled = false
		if !slices.Contains(groups, p.group) {
			p.main, p.group = false, nil
		}
	}
}

func equal(a, b Group) bool {
	return a.Name == b.Name && slices.Equal(a.Comm, b.Comm) && slices.Equal(a.Exe, b.Exe) && slices.Equal(a.Cmdline, b.Cmdline)
}

// scan looks at all processes. After an error nothing is known of any group.
func (s *scanner) scan() error {
	pids, err := s.files.list()
	s.notice("scan", err)
	if err != nil {
		return err
	}
	s.scans++
	// Each process namespace has a process 1; where it is out of sight, so are
	// those of other users.
	s.hidden = !slices.Contains(pids, 1)
	before := s.known
	s.known = make(map[int]*proc, len(pids))
	var members []int
	for _, pid := range pids {
		p, err := s.look(pid, before[pid])
		if err != nil {
			s.unreadable.Add(1)
			s.hidden = true
			if p = before[pid]; p == nil {
				continue
			}
		}
		if p == nil {
			continue // it has ended since it was listed
		}
		s.known[pid] = p
		if p.group != nil {
			members = append(members, pid)
		}
	}
	for pid, p := range before {
		if s.known[pid] != p {
			p.leave()
		}
	}
	if s.hidden {
		s.notice("hidden", fmt.Errorf("processes of other users are out of sight; run as root, or mount %s without hidepid", s.files.root))
	} else {
		s.notice("hidden", nil)
	}
	s.observe(members)
	return nil
}

// look reads a process's stat and finds its group. It returns nil for a process
// that has ended.
func (s *scanner) look(pid int, p *proc) (*proc, error) {
	s.pid.Store(int64(pid))
	data, err := s.files.read(pid, "stat")
	if err != nil {
		if vanished(err) {
			return nil, nil
		}
		return nil, err
	}
	comm, st, err := parseStat(data)
	if err != nil {
		return nil, err
	}
	// A process id is used again after a while; together with the start time
	// it is unique.
	isNew := p == nil || p.stat.startTicks != st.startTicks
	if isNew {
		p = &proc{}
	}
	p.born = isNew && s.scans > 1
	executed := p.comm != string(comm) || p.stat.stack != st.stack
	p.stat, p.seen = st, s.scans
	switch {
	case st.flags&kernelThread != 0:
		return p, nil
	case st.state == 'Z':
		p.leave()
	case isNew || executed || !p.settled:
		p.settled = !isNew && !executed
		p.comm = string(comm)
		p.enter(s.match(pid, p.comm))
	}
	return p, nil
}

func (s *scanner) match(pid int, comm string) *group {
	// The process may have gone; then it matches by its comm or not at all.
	proc, err := s.fs.Proc(pid)
	if err != nil {
		return nil
	}
	c := candidate{comm: comm, proc: proc}
	for _, g := range s.groups {
		if g.matches(&c) {
			return g
		}
	}
	return nil
}

// observe reads what is to know of the members of groups.
func (s *scanner) observe(members []int) {
	for _, g := range s.groups {
		g.now = observation{}
	}
	for _, pid := range members {
		p := s.known[pid]
		if p.seen != s.scans {
			p.group.now.unknown = true
			continue
		}
		if p.joined {
			p.arrive(s.known[int(p.stat.parent)])
		}
		if s.light {
			continue
		}
		s.pid.Store(int64(pid))
		s.observeProc(pid, p)
	}
	for _, g := range s.groups {
		s.noticeFile(g, "status", g.now.noStatus)
		s.noticeFile(g, "io", g.now.noIO)
		s.noticeFile(g, "fd or limits", g.now.noFiles)
	}
}

func (s *scanner) observeProc(pid int, p *proc) {
	now := &p.group.now
	now.countState(p.stat.state)
	p.count(userTicks, p.stat.userTicks)
	p.count(systemTicks, p.stat.systemTicks)
	p.count(minorFaults, p.stat.minorFaults)
	p.count(majorFaults, p.stat.majorFaults)
	if p.stat.state == 'Z' {
		return // dead, but for its parent's interest in how it ended
	}
	now.procs++
	now.threads += p.stat.threads
	now.virtual += p.stat.virtualBytes
	now.resident += p.stat.residentPages * uint64(os.Getpagesize())
	if now.procs == 1 || p.stat.startTicks < now.oldestTicks {
		now.oldestTicks = p.stat.startTicks
	}
	s.tolerate(&now.noStatus, pid, s.observeStatus(pid, p))
	s.tolerate(&now.noIO, pid, s.observeIO(pid, p))
	s.tolerate(&now.noFiles, pid, s.observeFiles(pid, now))
}

// tolerate sets missing when a file of a member could not be read, so that the
// group's sum is not exported, rather than one that leaves the member out.
func (s *scanner) tolerate(missing *bool, pid int, err error) {
	if err == nil {
		return
	}
	if vanished(err) {
		// Some kernels are built without io: then only the file is not there.
		if _, err := s.fs.Proc(pid); err != nil {
			return
		}
	}
	s.partial.Add(1)
	*missing = true
}

func (s *scanner) observeStatus(pid int, p *proc) error {
	data, err := s.files.read(pid, "status")
	if err != nil {
		return err
	}
	if kB, ok := number(data, "VmSwap:"); ok {
		p.group.now.swapped += kB << 10
	}
	voluntary, ok1 := number(data, "voluntary_ctxt_switches:")
	involuntary, ok2 := number(data, "nonvoluntary_ctxt_switches:")
	if !ok1 || !ok2 {
		return fmt.Errorf("no context switches in status of process %d", pid)
	}
	p.count(voluntarySwitches, voluntary)
	p.count(involuntarySwitches, involuntary)
	return nil
}

func (s *scanner) observeIO(pid int, p *proc) error {
	data, err := s.files.read(pid, "io")
	if err != nil {
		return err
	}
	read, ok1 := number(data, "read_bytes:")
	written, ok2 := number(data, "write_bytes:")
	if !ok1 || !ok2 {
		return fmt.Errorf("no bytes in io of process %d", pid)
	}
	p.count(readBytes, read)
	p.count(writtenBytes, written)
	return nil
}

func (s *scanner) observeFiles(pid int, now *observation) error {
	proc, err := s.fs.Proc(pid)
	if err != nil {
		return err
	}
	open, err := proc.FileDescriptorsLen()
	if err != nil {
		return err
	}
	data, err := s.files.read(pid, "limits")
	if err != nil {
		return err
	}
	now.files += uint64(open)
	// "unlimited" is no number, and no ratio.
	if limit, ok := number(data, "Max open files"); ok && limit > 0 {
		now.worstFileRatio = max(now.worstFileRatio, float64(open)/float64(limit))
	}
	return nil
}

func (s *scanner) noticeFile(g *group, file string, missing bool) {
	var err error
	if missing {
		err = fmt.Errorf("group %q: %s of a process cannot be read; if it belongs to another user, run as root or with CAP_SYS_PTRACE", g.Name, file)
	}
	s.notice(g.Name+"/"+file, err)
}

// notice logs a problem when it begins and when it ends.
func (s *scanner) notice(problem string, err error) {
	switch {
	case err != nil && !s.noticed[problem]:
		s.noticed[problem] = true
		s.logger.Warn("Processes cannot be read", "err", err)
	case err == nil && s.noticed[problem]:
		delete(s.noticed, problem)
		s.logger.Info("Processes can be read again", "problem", problem)
	}
}
