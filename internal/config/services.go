package config

import (
	"errors"
	"fmt"

	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/services/docker"
	"github.com/hedgewatch/hedgewatch/internal/services/groups"
	"github.com/hedgewatch/hedgewatch/internal/services/kubernetes"
	"github.com/hedgewatch/hedgewatch/internal/services/systemd"
)

// Services is the `services` section. A platform is watched if its key is there.
type Services struct {
	services.Config `yaml:",inline"`
	Kubernetes      *kubernetes.Config `yaml:"kubernetes,omitempty"`
	Systemd         *systemd.Config    `yaml:"systemd,omitempty"`
	Docker          *docker.Config     `yaml:"docker,omitempty"`
	Processes       *groups.Config     `yaml:"processes,omitempty"`
}

// Enabled reports whether any platform is watched.
func (s Services) Enabled() bool {
	return s.Kubernetes != nil || s.Systemd != nil || s.Docker != nil || s.Processes != nil
}

func (s Services) validate() error {
	errs := []error{s.Config.Validate()}
	check := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%w", key, err))
		}
	}
	if s.Kubernetes != nil {
		check("kubernetes", s.Kubernetes.Validate())
	}
	if s.Systemd != nil {
		check("systemd", s.Systemd.Validate())
	}
	if s.Docker != nil {
		check("docker", s.Docker.Validate())
	}
	if s.Processes != nil {
		check("processes", s.Processes.Validate())
	}
	return errors.Join(errs...)
}

// services decodes all platforms over their defaults, and keeps those that the
// file names. One that is named with nothing below it has them too.
func (l *loader) services(n *node) {
	if n == nil {
		return
	}
	defaults := Services{
		Config: services.DefaultConfig(), Kubernetes: &kubernetes.Config{}, Systemd: new(systemd.DefaultConfig()), Docker: new(docker.DefaultConfig()),
		Processes: new(groups.DefaultConfig()),
	}
	s := decode(l, n, defaults, Services.validate)
	named(n.get("kubernetes"), &s.Kubernetes, defaults.Kubernetes)
	named(n.get("systemd"), &s.Systemd, defaults.Systemd)
	named(n.get("docker"), &s.Docker, defaults.Docker)
	named(n.get("processes"), &s.Processes, defaults.Processes)
	if s.Kubernetes != nil {
		l.relative(&s.Kubernetes.Kubeconfig)
	}
	l.config.Services = s
}

func named[T any](n *node, value **T, defaults *T) {
	switch {
	case n == nil:
		*value = nil
	case *value == nil:
		*value = defaults
	}
}

func showServices(c *Config) any {
	if !c.Services.Enabled() {
		return nil
	}
	return c.Services
}
