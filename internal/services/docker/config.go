package docker

import (
	"fmt"
	"strings"
)

// Config says where the daemon is.
type Config struct {
	// Address is unix:///path or tcp://host:port of Docker, or of Podman's
	// service, which answers the same API.
	Address string `yaml:"address"`
}

// DefaultConfig is Docker's own socket.
func DefaultConfig() Config { return Config{Address: "unix:///var/run/docker.sock"} }

// Validate reports what is wrong.
func (c Config) Validate() error {
	scheme, rest, ok := strings.Cut(c.Address, "://")
	if !ok || rest == "" || scheme != "unix" && scheme != "tcp" {
		return fmt.Errorf("address: %q; use unix:///var/run/docker.sock or tcp://host:port", c.Address)
	}
	return nil
}
