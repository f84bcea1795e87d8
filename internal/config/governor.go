package config

import (
	"path/filepath"

	"github.com/hedgewatch/hedgewatch/internal/governor"
)

// governor is off unless the file has the section.
func (l *loader) governor(n *node) {
	exchange := l.config.Governor.Exchange
	if n != nil {
		l.config.Governor = decode(l, n, governor.DefaultConfig(), governor.Config.Validate)
	}
	g := &l.config.Governor
	for _, file := range []*string{&g.TLS.CertFile, &g.TLS.KeyFile, &g.TLS.ClientCAFile} {
		l.relative(file)
	}
	g.Exchange = exchange
}

// relative makes a path begin at the directory of the file.
func (l *loader) relative(path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(l.dir, *path)
	}
}

func showGovernor(c *Config) any {
	if !c.Governor.Enabled {
		return nil
	}
	return c.Governor
}
