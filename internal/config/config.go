// Package config reads the configuration file. It is a strict superset of
// prometheus.yml: Prometheus' own loader gives its part exactly the meaning it
// has there, Alertmanager's loader reads the `alertmanager` section, and the
// features' own Config types make up the rest.
//
// Load reports everything wrong with the file and all files it names at once,
// each with file, line and key, and never shows a secret. It starts nothing
// and keeps nothing: a reload is another Load.
//
// The package does not decide what a feature's keys mean or default to; that
// is with the feature. To add a section, add a line to sections.
package config

import (
	_ "embed" // For the built-in default.
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/alerting/intake"
	"github.com/hedgewatch/hedgewatch/internal/collector/connectivity"
	"github.com/hedgewatch/hedgewatch/internal/collector/host"
	"github.com/hedgewatch/hedgewatch/internal/collector/process"
	"github.com/hedgewatch/hedgewatch/internal/drill"
	"github.com/hedgewatch/hedgewatch/internal/governor"
	"github.com/hedgewatch/hedgewatch/internal/heartbeat"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

// Default is the text of the built-in configuration, used when there is no file.
//
//go:embed default.yml
var Default string

// defaultFile stands for the built-in configuration in errors.
const defaultFile = "built-in default"

// Config is a valid configuration.
type Config struct {
	// Prometheus is what promconfig.LoadFile would return for the file without
	// our sections, with the references to secrets replaced.
	Prometheus *promconfig.Config
	// Alerting is nil if the file has no alertmanager section.
	Alerting *alerting.Config
	Audit    Audit
	// Connectivity is not enabled if the file has no `binance.connectivity`.
	Connectivity connectivity.Config
	Delivery     alerting.DeliveryConfig
	Governor     governor.Config
	Host         host.Config
	Processes    process.Config
	Mixin        Mixin
	Services     Services
	Heartbeats   heartbeat.Config
	Drills       drill.Config
	State        state.Config
	Web          state.LoginConfig
	Rules        ruler.Settings
	Flapping     intake.Flapping

	// Text is the meaning of the whole file, defaults included, as YAML.
	// Secrets are <secret> or the reference that the file has for them.
	Text string
	// Warnings are things that are valid and probably not meant.
	Warnings []string
}

// Options are what Load takes from its surroundings; the zero value is usable.
type Options struct {
	// LookupEnv resolves ${env:NAME}; nil means os.LookupEnv. The $NAME of
	// Prometheus' external_labels always comes from the process' environment.
	LookupEnv func(string) (string, bool)
	// Logger receives what Prometheus' loader logs; nil discards it.
	Logger *slog.Logger
	// Parser checks the rules' expressions; nil means PromQL without
	// experimental functions.
	Parser parser.Parser
	// Retention applies if the file has no storage.tsdb.retention.
	Retention promconfig.TSDBRetentionConfig
}

// Load reads and validates the file and every file it names. The path "" means
// Default. An error is of type Errors.
func Load(path string, opts Options) (*Config, error) {
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Parser == nil {
		opts.Parser = parser.NewParser(parser.Options{})
	}
	l := &loader{
		opts:    opts,
		file:    path,
		dir:     filepath.Dir(path),
		secrets: secrets{lookupEnv: opts.LookupEnv, values: map[string]string{}},
		config:  &Config{},
	}
	l.load()
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return l.config, nil
}

// loader is one run of Load.
type loader struct {
	opts    Options
	file    string
	dir     string // of the file; relative paths begin here
	secrets secrets

	config *Config
	errs   Errors
}

func (l *loader) load() {
	text := []byte(Default)
	if l.file == "" {
		l.file = defaultFile
	} else {
		var err error
		if text, err = os.ReadFile(l.file); err != nil {
			l.failFile(l.file, fmt.Errorf("read configuration: %w; give its path with --config.file", err))
			return
		}
	}
	root := l.parse(l.file, text, l.dir)
	if root == nil {
		if len(l.errs) > 0 {
			return
		}
		root = &node{kind: mappingKind, file: l.file}
	}

	var ours []*node
	for _, s := range sections() {
		n := root.get(s.key)
		s.load(l, n)
		if n != nil {
			ours = append(ours, n)
			n.hidden = true // Not for Prometheus' eyes.
		}
	}
	l.prometheus(root)
	for _, n := range ours {
		n.hidden = false
	}
	l.ruleGroups(root.get("rules"))
	if len(l.errs) > 0 {
		return
	}
	l.warnSilence()
	l.config.Text = l.text()
}

// parse reads a file of the configuration, with references replaced. It
// returns nil if the file is empty or is not YAML.
func (l *loader) parse(file string, text []byte, dir string) *node {
	root, errs := parse(file, text)
	l.errs = append(l.errs, errs...)
	if root != nil {
		l.errs = append(l.errs, l.secrets.expand(root, dir)...)
	}
	return root
}

func (l *loader) fail(n *node, format string, args ...any) {
	l.errs = append(l.errs, l.at(n, fmt.Errorf(format, args...)))
}

func (l *loader) failFile(file string, err error) {
	l.errs = append(l.errs, Error{File: file, Err: err})
}

func (l *loader) at(n *node, err error) Error {
	return Error{File: n.root().file, Line: n.line, Key: n.path(), Err: err}
}
