package host

import (
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
	// such as "filesystem.mount-points-exclude".
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
