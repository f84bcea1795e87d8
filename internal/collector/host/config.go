package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Config is the `host` section of the configuration file, less its process
// groups, which belong to package process.
type Config struct {
	// Enabled is true unless the file says `enabled: false`.
	Enabled bool `yaml:"enabled"`
	// JobName is the job label of the host's series.
	JobName string `yaml:"job_name"`
	// ScrapeInterval is how often the collectors run.
	ScrapeInterval model.Duration `yaml:"scrape_interval"`
	// Path says where the host's file systems are seen from inside a container.
	Path Paths `yaml:"path"`
	// Collectors changes the default set of node_exporter's collectors.
	Collectors Collectors `yaml:"collectors"`
}

// Paths are node_exporter's `--path.*` flags.
type Paths struct {
	ProcFS   string `yaml:"procfs"`
	SysFS    string `yaml:"sysfs"`
	RootFS   string `yaml:"rootfs"`
	UdevData string `yaml:"udev_data"`
}

// Collectors selects and configures node_exporter's collectors.
type Collectors struct {
	// Enable and Disable name collectors, such as "systemd" or "arp".
	Enable  []string `yaml:"enable"`
	Disable []string `yaml:"disable"`
	// Flags are node_exporter's other `--collector.*` flags, name to value,
	// such as "filesystem.mount-points-exclude". A flag that node_exporter
	// lets one repeat takes one value per line.
	Flags map[string]string `yaml:"flags"`
}

// DefaultConfig is what a file without a `host` section means.
func DefaultConfig() Config {
	return Config{
		Enabled:        true,
		JobName:        "hedgewatch-host",
		ScrapeInterval: model.Duration(5 * time.Second),
		Path:           Paths{ProcFS: "/proc", SysFS: "/sys", RootFS: "/", UdevData: "/run/udev/data"},
	}
}

// Validate reports everything that is wrong, each problem with its key.
func (c Config) Validate() error {
	var errs []error
	if c.JobName == "" {
		errs = append(errs, errors.New(`host.job_name: empty; give the job label of the host's series, such as "node"`))
	}
	if c.ScrapeInterval <= 0 {
		errs = append(errs, fmt.Errorf("host.scrape_interval: %v is not a positive duration; the default is 5s", c.ScrapeInterval))
	}
	for _, p := range []struct{ key, path string }{
		{"procfs", c.Path.ProcFS}, {"sysfs", c.Path.SysFS}, {"rootfs", c.Path.RootFS}, {"udev_data", c.Path.UdevData},
	} {
		if !filepath.IsAbs(p.path) {
			errs = append(errs, fmt.Errorf("host.path.%s: %q is not an absolute path", p.key, p.path))
		}
	}
	return errors.Join(append(errs, c.Collectors.validate()...)...)
}

func (c Collectors) validate() []error {
	var errs []error
	flags := libraryFlags()
	for _, list := range []struct {
		key   string
		names []string
	}{{"enable", c.Enable}, {"disable", c.Disable}} {
		for _, name := range list.names {
			if !slices.Contains(flags.collectors, name) {
				errs = append(errs, fmt.Errorf("host.collectors.%s: %q is not a collector; known: %s",
					list.key, name, strings.Join(flags.collectors, ", ")))
			}
		}
	}
	for _, name := range c.Disable {
		if slices.Contains(c.Enable, name) {
			errs = append(errs, fmt.Errorf("host.collectors.disable: %q is enabled too; keep it in one of the two lists", name))
		}
	}
	for _, name := range sortedKeys(c.Flags) {
		if err := flags.check(name, c.Flags); err != nil {
			errs = append(errs, fmt.Errorf("host.collectors.flags.%s: %w", name, err))
		}
	}
	return errs
}
