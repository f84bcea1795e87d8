package config

import (
	"github.com/hedgewatch/hedgewatch/internal/alerting/intake"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
	"github.com/hedgewatch/hedgewatch/mixin"
)

func (l *loader) rules(n *node) {
	l.config.Rules = decode(l, n, ruler.Settings{}, ruler.Settings.Validate)
}

// ruleGroups finds settings of groups that do not exist: they mean to change
// something that stays as it is. It comes when all else is known to be right.
func (l *loader) ruleGroups(n *node) {
	c := ruler.Config{Prometheus: l.config.Prometheus, Settings: l.config.Rules}
	if len(c.Settings.Groups) == 0 || len(l.errs) > 0 {
		return
	}
	if l.config.Mixin.Enabled {
		c.Shipped = ruler.Shipped{Files: mixin.Rules(), Disable: l.config.Mixin.Disable}
	}
	unknown, err := ruler.UnknownGroups(c, l.opts.Parser)
	if err != nil { // The rule files have changed since they were checked.
		l.failFile(l.file, err)
	}
	for _, i := range unknown {
		l.fail(n.get("groups").children[i], "no rule file has %s; correct the name, or take the entry out", c.Settings.Groups[i])
	}
}

func showRules(c *Config) any {
	if len(c.Rules.Groups) == 0 && !c.Rules.AllowFileEdit {
		return nil
	}
	return c.Rules
}

func (l *loader) flapping(n *node) {
	l.config.Flapping = decode(l, n, intake.DefaultFlapping(), intake.Flapping.Validate)
}

func showFlapping(c *Config) any {
	if c.Flapping == intake.DefaultFlapping() {
		return nil
	}
	return c.Flapping
}
