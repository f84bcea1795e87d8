package alerting

import (
	amconfig "github.com/prometheus/alertmanager/config"
)

// Config is a valid Alertmanager configuration, from the `alertmanager`
// section (inline) or from the file that section names.
type Config struct {
	// Alertmanager is the parsed file; its relative paths are resolved.
	Alertmanager *amconfig.Config
}
