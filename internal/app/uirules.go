package app

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
	"github.com/hedgewatch/hedgewatch/mixin"
)

// rulerConfig adds to the configured rule files those that were made in the UI,
// and the shipped ones.
func (a *App) rulerConfig(cfg *config.Config) ruler.Config {
	prom := *cfg.Prometheus
	prom.RuleFiles = append(slices.Clone(prom.RuleFiles), filepath.Join(a.state.RuleDir(), "*.yml"))
	c := ruler.Config{Prometheus: &prom, Settings: cfg.Rules}
	if cfg.Mixin.Enabled {
		c.Shipped = ruler.Shipped{Files: mixin.Rules(), Disable: cfg.Mixin.Disable}
	}
	return c
}

// checkRules reports all that a load of the rule file would.
func (a *App) checkRules(text []byte) error {
	scheme := a.config.Load().Prometheus.GlobalConfig.MetricNameValidationScheme
	_, errs := ruler.ParseFile(text, scheme, a.store.Parser(), a.logger)
	return errors.Join(errs...)
}
