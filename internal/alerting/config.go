package alerting

import (
	"errors"
	"log/slog"
	"net/url"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord"
)

// Config is a valid Alertmanager configuration, from the `alertmanager`
// section (inline) or from the file that section names.
type Config struct {
	// Alertmanager is the parsed file; its relative paths are resolved.
	Alertmanager *amconfig.Config
	// Shown is the configuration as its author knows it, where Alertmanager has
	// receivers of the program's own; nil is Alertmanager. Those receivers, and
	// alerts that go only to them, are in no list, ledger or metric of ours.
	Shown *amconfig.Config
	// Text is the configuration as the API shows it. Empty means as the library
	// prints it, which hides its own kinds of secrets but not values that were
	// put in by reference.
	Text string
	// Delivery is the `delivery` section; nil is DefaultDelivery.
	Delivery *DeliveryConfig
}

func (c Config) delivery() DeliveryConfig {
	if c.Delivery == nil {
		return DefaultDelivery()
	}
	return *c.Delivery
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
	_, err := newPlan(c, outfit{limits: discord.NewLimits()}, &url.URL{}, slog.New(slog.DiscardHandler))
	return err
}

var errNoConfig = errors.New("no Alertmanager configuration; use DefaultConfig where the file has none")
