package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hedgewatch/hedgewatch/internal/collector/host"
	"github.com/hedgewatch/hedgewatch/internal/collector/process"
	"github.com/hedgewatch/hedgewatch/mixin"
)

// section is a part of the file that Prometheus does not know.
type section struct {
	key string
	// load reads the section into the configuration; n is nil if the file has none.
	load func(l *loader, n *node)
	// show returns the section as it stands in Config.Text; nil leaves it out.
	show func(c *Config) any
}

// sections is the one place that knows all of ours.
func sections() []section {
	return []section{
		{"alertmanager", (*loader).alertmanager, showAlertmanager},
		{"audit", (*loader).audit, showAudit},
		{"delivery", (*loader).delivery, showDelivery},
		{"binance", (*loader).binance, showBinance},
		{"flapping", (*loader).flapping, showFlapping},
		{"governor", (*loader).governor, showGovernor},
		{"host", (*loader).host, showHost},
		{"mixin", (*loader).mixin, showMixin},
		{"services", (*loader).services, showServices},
		{"state", (*loader).state, showState},
		{"web", (*loader).web, showWeb},
		{"rules", (*loader).rules, showRules},
		{"heartbeats", (*loader).heartbeats, showHeartbeats},
		{"drills", (*loader).drills, showDrills},
	}
}

// Mixin is the `mixin` section: the rules that hedgewatch ships.
type Mixin struct {
	// Enabled is true if the file has the section.
	Enabled bool `yaml:"-"`
	// Disable names alerts and groups to leave out.
	Disable []string `yaml:"disable"`
}

// hostSection is the `host` section, of which two packages have a share.
type hostSection struct {
	host.Config `yaml:",inline"`
	Processes   []process.Group `yaml:"processes"`
}

func (s hostSection) processes() process.Config {
	return process.Config{Groups: s.Processes, ProcFS: s.Path.ProcFS, ScrapeInterval: s.ScrapeInterval}
}

func (s hostSection) validate() error {
	return errors.Join(s.Config.Validate(), s.processes().Validate())
}

func (l *loader) host(n *node) {
	s := decode(l, n, hostSection{Config: host.DefaultConfig()}, hostSection.validate)
	l.config.Host, l.config.Processes = s.Config, s.processes()
}

func showHost(c *Config) any {
	return hostSection{Config: c.Host, Processes: c.Processes.Groups}
}

func (l *loader) mixin(n *node) {
	l.config.Mixin = decode(l, n, Mixin{Enabled: n != nil}, Mixin.validate)
}

// validate finds misspelt names: what they mean to switch off would stay on.
func (m Mixin) validate() error {
	if len(m.Disable) == 0 {
		return nil
	}
	names, err := mixin.Names()
	if err != nil {
		return err
	}
	var errs []error
	for i, name := range m.Disable {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("mixin.disable[%d]: no shipped rule or group is called %q; mixin/README.md lists them", i, name))
		}
	}
	return errors.Join(errs...)
}

func showMixin(c *Config) any {
	if !c.Mixin.Enabled {
		return nil
	}
	return c.Mixin
}

// decode reads a section over its defaults and reports what is wrong with it.
func decode[T any](l *loader, n *node, defaults T, validate func(T) error) T {
	if n == nil || n.isNull() {
		return defaults
	}
	var value T
	d := diagnosis{root: n, typ: reflect.TypeFor[T](), secrets: &l.secrets, load: func(text string) error {
		value = defaults
		dec := yaml.NewDecoder(strings.NewReader(text))
		dec.KnownFields(true)
		if err := dec.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return validate(value)
	}}
	l.errs = append(l.errs, d.run()...)
	return value
}
