package process

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// Config lists the process groups to watch: `host.processes` in the
// configuration file.
type Config struct {
	Groups []Group
	// ProcFS is where the host's /proc is mounted; it comes from `host.path`.
	ProcFS string
	// ScrapeInterval is the interval of the host job, which these series share.
	ScrapeInterval model.Duration
}

// Group selects processes. All of its given matchers must match; a process
// belongs to the first group that matches it. Kernel threads belong to none.
type Group struct {
	// Name is the groupname label.
	Name string `yaml:"name"`
	// Comm and Exe match any one of the listed names; Exe compares the base
	// name, or the whole path where the entry has a slash.
	Comm []string `yaml:"comm,omitempty"`
	Exe  []string `yaml:"exe,omitempty"`
	// Cmdline are regular expressions that must all match the command line,
	// joined by spaces.
	Cmdline []string `yaml:"cmdline,omitempty"`
}

// maxComm is the length to which the kernel cuts a command name.
const maxComm = 15

// Validate reports everything that is wrong, each problem with its key.
func (c Config) Validate() error {
	var errs []error
	if !filepath.IsAbs(c.ProcFS) {
		errs = append(errs, fmt.Errorf("host.path.procfs: %q is not an absolute path", c.ProcFS))
	}
	if c.ScrapeInterval <= 0 {
		errs = append(errs, fmt.Errorf("host.scrape_interval: %v is not a positive duration; the default is 5s", c.ScrapeInterval))
	}
	first := make(map[string]int)
	for i, g := range c.Groups {
		key := fmt.Sprintf("host.processes[%d]", i)
		switch j, taken := first[g.Name]; {
		case g.Name == "":
			errs = append(errs, fmt.Errorf("%s.name: missing; it becomes the groupname label", key))
		case !utf8.ValidString(g.Name):
			errs = append(errs, fmt.Errorf("%s.name: %q is not valid UTF-8", key, g.Name))
		case taken:
			errs = append(errs, fmt.Errorf("%s.name: %q is also the name of host.processes[%d]; give each group its own", key, g.Name, j))
		default:
			first[g.Name] = i
		}
		errs = append(errs, g.validate(key)...)
	}
	return errors.Join(errs...)
}

func (g Group) validate(key string) []error {
	var errs []error
	if len(g.Comm)+len(g.Exe)+len(g.Cmdline) == 0 {
		errs = append(errs, fmt.Errorf("%s: matches nothing; give comm, exe or cmdline", key))
	}
	for i, comm := range g.Comm {
		if len(comm) > maxComm {
			errs = append(errs, fmt.Errorf("%s.comm[%d]: %q never matches, the kernel cuts names to %d bytes; write %q or use exe",
				key, i, comm, maxComm, comm[:maxComm]))
		} else if comm == "" {
			errs = append(errs, fmt.Errorf("%s.comm[%d]: empty", key, i))
		}
	}
	for i, exe := range g.Exe {
		if exe == "" {
			errs = append(errs, fmt.Errorf("%s.exe[%d]: empty", key, i))
		}
	}
	for i, expr := range g.Cmdline {
		if _, err := regexp.Compile(expr); err != nil {
			errs = append(errs, fmt.Errorf("%s.cmdline[%d]: %w", key, i, err))
		}
	}
	return errs
}
