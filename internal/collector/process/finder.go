package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/procfs"

	"github.com/hedgewatch/hedgewatch/internal/cgroup"
)

// Finder tells which groups have processes, and measures none: it can be asked
// every second. One caller at a time uses it.
type Finder struct {
	next    atomic.Pointer[[]matcher]
	turn    chan struct{} // Held by the one search that runs; it owns scanner.
	scanner *scanner
	oom     *oomWatch
	procFS  string
}

// Found is a group at one time.
type Found struct {
	Name string
	// Mains are its processes whose parent is none of its own, and Restarts how
	// many of them have replaced one that was gone, since the Finder began.
	Mains, Restarts int
	// Unknown says that a process of the group could not be looked at.
	Unknown bool
	// OOM says in the kernel's words which process of the group it has killed for
	// memory since the last search. OOMKnown is false if nobody can tell.
	OOM      string
	OOMKnown bool
}

// ErrHidden says that a group without processes may well have some.
var ErrHidden = errors.New("processes of other users are out of sight; run as root, or mount proc without hidepid")

// NewFinder returns a Finder of c's groups. It fails where c.ProcFS is not a
// mounted proc.
func NewFinder(c Config, logger *slog.Logger) (*Finder, error) {
	fs, err := procfs.NewFS(c.ProcFS)
	if err != nil {
		return nil, fmt.Errorf("host.path.procfs: %w; mount the host's /proc there, or leave the key out", err)
	}
	f := &Finder{
		turn: make(chan struct{}, 1), procFS: c.ProcFS, oom: newOOMWatch(c.ProcFS, kernelLogPath, cgroup.Default),
		scanner: &scanner{logger: logger, fs: fs, files: reader{root: c.ProcFS}, noticed: map[string]bool{}, light: true},
	}
	commit, err := f.Prepare(c)
	if err != nil {
		return nil, err
	}
	commit()
	return f, nil
}

// Prepare checks a new configuration and returns what makes it current.
func (f *Finder) Prepare(c Config) (commit func(), err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	matchers, err := compile(c.Groups)
	if err != nil {
		return nil, err
	}
	return func() { f.next.Store(&matchers) }, nil
}

// Find returns all groups. A search that hangs, because a process in trouble
// cannot be looked at, goes on after ctx has ended; until then others fail.
func (f *Finder) Find(ctx context.Context) ([]Found, error) {
	select {
	case f.turn <- struct{}{}:
	default:
		return nil, fmt.Errorf("look for processes: an earlier search hangs at process %d", f.scanner.pid.Load())
	}
	type result struct {
		groups []Found
		err    error
	}
	done := make(chan result, 1)
	go func() {
		groups, err := f.find()
		<-f.turn
		done <- result{groups, err}
	}()
	select {
	case r := <-done:
		return r.groups, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("look for processes: %w", ctx.Err())
	}
}

func (f *Finder) find() ([]Found, error) {
	if matchers := f.next.Swap(nil); matchers != nil {
		f.scanner.regroup(*matchers)
	}
	before := f.scanner.known
	if err := f.scanner.scan(); err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	killed := f.oom.look(f.scanner, before)
	if f.scanner.hidden {
		return nil, ErrHidden
	}
	groups := make([]Found, len(f.scanner.groups))
	index := make(map[*group]int, len(groups))
	for i, g := range f.scanner.groups {
		groups[i] = Found{Name: g.Name, Restarts: int(g.restarts), Unknown: g.now.unknown}
		words, known := killed[g]
		groups[i].OOM, groups[i].OOMKnown = words, known
		index[g] = i
	}
	for _, p := range f.scanner.known {
		if p.main && p.group != nil {
			groups[index[p.group]].Mains++
		}
	}
	return groups, nil
}

// OOMKills is how many processes the kernel has ended for memory since it
// started, on the whole machine; oom_kill in /proc/vmstat, Linux 4.13.
func (f *Finder) OOMKills() (uint64, error) {
	text, err := os.ReadFile(f.procFS + "/vmstat")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("oom_kill ")); ok {
			return strconv.ParseUint(string(value), 10, 64)
		}
	}
	return 0, errors.New("vmstat has no oom_kill")
}
