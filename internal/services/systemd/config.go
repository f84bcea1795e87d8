package systemd

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/cgroup"
)

// Config says which units are watched.
type Config struct {
	// Address is that of the system bus.
	Address string `yaml:"address"`
	// Units are names or patterns of services.
	Units []string `yaml:"units"`
	// CgroupFS is where control groups are mounted.
	CgroupFS string `yaml:"cgroupfs"`
}

const systemBus = "unix:path=/run/dbus/system_bus_socket"

// DefaultConfig watches all services of this machine.
func DefaultConfig() Config {
	return Config{Address: systemBus, Units: []string{"*.service"}, CgroupFS: string(cgroup.Default)}
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if !strings.HasPrefix(c.Address, "unix:") {
		errs = append(errs, fmt.Errorf("address: %q; use %s", c.Address, systemBus))
	}
	if !path.IsAbs(c.CgroupFS) {
		errs = append(errs, fmt.Errorf("cgroupfs: %q is not an absolute path; the default is %s", c.CgroupFS, cgroup.Default))
	}
	if len(c.Units) == 0 {
		errs = append(errs, errors.New(`units: empty; name units, or leave the key out for "*.service"`))
	}
	for i, u := range c.Units {
		if _, err := path.Match(u, ""); err != nil || !strings.HasSuffix(u, ".service") {
			errs = append(errs, fmt.Errorf("units[%d]: %q; use names and patterns that end in .service", i, u))
		}
	}
	return errors.Join(errs...)
}

func (c Config) wants(unit string) bool {
	for _, pattern := range c.Units {
		if ok, _ := path.Match(pattern, unit); ok {
			return true
		}
	}
	return false
}
