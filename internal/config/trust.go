package config

import (
	"slices"

	amconfig "github.com/prometheus/alertmanager/config"

	"github.com/hedgewatch/hedgewatch/internal/drill"
	"github.com/hedgewatch/hedgewatch/internal/heartbeat"
)

func (l *loader) heartbeats(n *node) {
	l.config.Heartbeats = decode(l, n, heartbeat.Config{}, heartbeat.Config.Validate)
}

func showHeartbeats(c *Config) any {
	if len(c.Heartbeats.In)+len(c.Heartbeats.Out) == 0 {
		return nil
	}
	return c.Heartbeats
}

// drills loads the section, and finds receivers that do not exist. It comes
// after the one that has them.
func (l *loader) drills(n *node) {
	l.config.Drills = decode(l, n, drill.Config(nil), drill.Config.Validate)
	if len(l.errs) > 0 {
		return
	}
	var receivers []amconfig.Receiver
	if l.config.Alerting != nil {
		receivers = l.config.Alerting.Alertmanager.Receivers
	}
	for _, r := range receivers {
		if r.Name == drill.CanaryReceiver {
			l.failFile(l.file, drill.ErrReservedName)
		}
	}
	for i, d := range l.config.Drills {
		if !slices.ContainsFunc(receivers, func(r amconfig.Receiver) bool { return r.Name == d.Receiver }) {
			l.fail(n.children[i].get("receiver"), "undefined receiver %q; add it under alertmanager.receivers, or correct the name", d.Receiver)
		}
	}
}

func showDrills(c *Config) any {
	if len(c.Drills) == 0 {
		return nil
	}
	return c.Drills
}
