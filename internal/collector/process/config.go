package process

import "github.com/prometheus/common/model"

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
// belongs to the first group that matches it.
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
