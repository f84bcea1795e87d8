package config

import (
	"github.com/hedgewatch/hedgewatch/internal/state"
)

// web loads the section about logins.
func (l *loader) web(n *node) {
	l.config.Web = decode(l, n, state.LoginConfig{}, state.LoginConfig.Validate)
}

func showWeb(c *Config) any {
	if !c.Web.AnonymousViewer && c.Web.OIDC == nil {
		return nil
	}
	return c.Web
}

// state loads the section about what is kept of what people make and do.
func (l *loader) state(n *node) {
	l.config.State = decode(l, n, state.DefaultConfig(), state.Config.Validate)
}

func showState(c *Config) any {
	if c.State == state.DefaultConfig() {
		return nil
	}
	return c.State
}
