package alerting

import (
	"errors"
	"log/slog"
	"net/url"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
)

// Config is a valid Alertmanager configuration, from the `alertmanager`
// section (inline) or from the file that section names.
type Config struct {
	// Alertmanager is the parsed file; its relative paths are resolved.
	Alertmanager *amconfig.Config
	// Text is the configuration as the API shows it. Empty means as the library
	// prints it, which hides its own kinds of secrets but not values that were
	// put in by reference.
	Text string
}

// InitMatchers makes this process read matchers as Alertmanager's program does:
// UTF-8 first, the classic syntax where that fails. The library keeps the choice
// in a variable of its own and starts with classic, so the program calls this
// once, before it parses any configuration.
func InitMatchers(logger *slog.Logger) {
	compat.InitFromFlags(logger, featurecontrol.NoopFlags{})
}

// DefaultConfig is what a file without an `alertmanager` section means: alerts
// are grouped and shown, and nobody is notified.
func DefaultConfig() Config {
	c, err := amconfig.Load("{route: {receiver: nobody}, receivers: [{name: nobody}]}")
	if err != nil {
		panic("alerting: the built-in configuration does not load: " + err.Error())
	}
	return Config{Alertmanager: c}
}

// Validate reports everything that would keep the configuration from being
// used, including unreadable templates and secrets. It touches no network.
func (c Config) Validate() error {
	_, err := newPlan(c, &url.URL{}, slog.New(slog.DiscardHandler))
	return err
}

var errNoConfig = errors.New("no Alertmanager configuration; use DefaultConfig where the file has none")
