package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
)

// alertmanager loads the section: Alertmanager's file, inline or by name.
func (l *loader) alertmanager(n *node) {
	if n == nil {
		return
	}
	dir := l.dir
	if file := n.get("config_file"); file != nil || n.kind != mappingKind {
		if n, dir = l.alertmanagerFile(n, file); n == nil {
			return
		}
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs // Joined twice, as for shared settings, it stays right.
	}
	parse := func(text string) (alerting.Config, error) {
		c, err := amconfig.Load(text)
		if err == nil {
			resolvePaths(c, dir)
		}
		return alerting.Config{Alertmanager: c}, err
	}
	d := diagnosis{root: n, typ: reflect.TypeFor[amconfig.Config](), secrets: &l.secrets, load: func(text string) error {
		_, err := parse(text)
		return err
	}}
	if d.run(); !n.hidden {
		// Validate builds the receivers, which takes longer, and some of them
		// write into their configuration.
		d.extraBytes = 32 << 10
		d.load = func(text string) error {
			trial, err := parse(text)
			if err != nil {
				return err
			}
			return trial.Validate()
		}
		d.run()
	}
	l.errs = append(l.errs, d.errs...)
	l.matches(n.get("templates"), dir, func(*node, string) {})
	l.warnMissingFiles(n, dir)
	if len(l.errs) > 0 {
		return
	}
	text, _ := render(n)
	cfg, err := parse(text)
	if err != nil {
		l.fail(n, "%s", l.secrets.clean(n, err.Error()))
		return
	}
	if cfg.Text, err = l.secrets.mask(cfg.Alertmanager.String()); err != nil {
		l.failFile(l.file, err)
	}
	l.config.Alerting = &cfg
}

// alertmanagerFile returns the root of the file that config_file names, and
// its directory; or nil after an error.
func (l *loader) alertmanagerFile(section, file *node) (*node, string) {
	if file == nil || file.kind != scalarKind || file.isNull() || file.scalar.text == "" {
		at := section
		if file != nil {
			at = file
		}
		l.fail(at, "no configuration; give `config_file: alertmanager.yml`, or the keys of an Alertmanager file here")
		return nil, ""
	}
	for _, c := range section.children {
		if c != file {
			l.fail(c, "config_file is given, so this belongs into that file; keep one of the two")
		}
	}
	path := commoncfg.JoinDir(l.dir, file.scalar.text)
	text, err := os.ReadFile(path)
	if err != nil {
		l.fail(file, "%s; create the file, or correct the path", l.secrets.clean(file, "read Alertmanager's configuration: "+err.Error()))
		return nil, ""
	}
	errsBefore := len(l.errs)
	root := l.parse(path, text, filepath.Dir(path))
	if root == nil && len(l.errs) == errsBefore {
		l.fail(file, "%s is empty; it needs at least a route and a receiver", path)
	}
	return root, filepath.Dir(path)
}

// resolvePaths joins relative paths with dir, where amconfig.LoadFile does it.
func resolvePaths(c *amconfig.Config, dir string) {
	for i, t := range c.Templates {
		c.Templates[i] = commoncfg.JoinDir(dir, t)
	}
	c.Global.HTTPConfig.SetDirectory(dir)
	for _, r := range c.Receivers {
		for field, value := range reflect.ValueOf(r).Fields() {
			// LoadFile leaves incident.io out, so its paths begin at the
			// working directory there, and here.
			if value.Kind() != reflect.Slice || field.Name == "IncidentioConfigs" {
				continue
			}
			for i := range value.Len() {
				if http := httpConfig(value.Index(i)); http != nil {
					http.SetDirectory(dir)
				}
				findFiles(value.Index(i), dir)
			}
		}
	}
	for i, out := range c.EventRecorder.FileOutputs {
		c.EventRecorder.FileOutputs[i].Path = commoncfg.JoinDir(dir, out.Path)
	}
	for _, out := range c.EventRecorder.WebhookOutputs {
		if out.HTTPConfig != nil {
			out.HTTPConfig.SetDirectory(dir)
		}
	}
	for _, out := range c.EventRecorder.KafkaOutputs {
		if out.TLSConfig != nil {
			out.TLSConfig.SetDirectory(dir)
		}
	}
}

// findFiles joins the relative *_file paths of an integration with dir where
// there is such a file. The library looks for these in the working directory
// only, which holds for files that are not in dir.
func findFiles(integration reflect.Value, dir string) {
	if integration.IsNil() {
		return
	}
	for field, value := range integration.Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if value.Kind() != reflect.String || !strings.HasSuffix(name, "_file") || value.String() == "" {
			continue
		}
		path := commoncfg.JoinDir(dir, value.String())
		if _, err := os.Stat(path); err == nil {
			value.SetString(path)
		}
	}
}

// httpConfig returns the HTTP settings of a receiver's integration, if it has any.
func httpConfig(integration reflect.Value) *commoncfg.HTTPClientConfig {
	if integration.IsNil() {
		return nil
	}
	field := integration.Elem().FieldByName("HTTPConfig")
	if !field.IsValid() {
		return nil
	}
	http, _ := field.Interface().(*commoncfg.HTTPClientConfig)
	return http
}

func showAlertmanager(c *Config) any {
	if c.Alerting == nil {
		return nil
	}
	var doc yaml.Node
	// Alertmanager wrote this text; it prints its own errors in it.
	if err := yaml.Unmarshal([]byte(c.Alerting.Alertmanager.String()), &doc); err != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}
