package process

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// matcher is a Group, ready to match.
type matcher struct {
	Group
	cmdline []*regexp.Regexp
}

func compile(groups []Group) ([]matcher, error) {
	matchers := make([]matcher, len(groups))
	for i, g := range groups {
		matchers[i].Group = g
		for _, expr := range g.Cmdline {
			re, err := regexp.Compile(expr)
			if err != nil {
				return nil, fmt.Errorf("host.processes[%d].cmdline: %w", i, err)
			}
			matchers[i].cmdline = append(matchers[i].cmdline, re)
		}
	}
	return matchers, nil
}

// candidate is a process in search of its group. What it is asked for beyond
// its comm is read when first needed: most processes match no comm.
type candidate struct {
	comm string
	proc procfs.Proc

	read    bool
	exe     string
	cmdline string
}

func (m *matcher) matches(c *candidate) bool {
	if len(m.Comm) > 0 && !slices.Contains(m.Comm, c.comm) {
		return false
	}
	if len(m.Exe)+len(m.cmdline) == 0 {
		return true
	}
	c.load()
	if len(m.Exe) > 0 && !slices.ContainsFunc(m.Exe, func(exe string) bool {
		return exe == c.exe || !strings.Contains(exe, "/") && exe == filepath.Base(c.exe)
	}) {
		return false
	}
	for _, re := range m.cmdline {
		if !re.MatchString(c.cmdline) {
			return false
		}
	}
	return true
}

// load reads what can be read. A process that is gone, or denies it, has an
// empty command line and no executable.
func (c *candidate) load() {
	if c.read {
		return
	}
	c.read = true
	args, err := c.proc.CmdLine()
	if err != nil {
		return
	}
	c.cmdline = strings.Join(args, " ")
	if exe, err := c.proc.Executable(); err == nil && exe != "" {
		// The file was replaced, as by an update, while the process ran.
		c.exe = strings.TrimSuffix(exe, " (deleted)")
	} else if len(args) > 0 {
		// Only root may follow the link of another user's process.
		c.exe = args[0]
	}
}
