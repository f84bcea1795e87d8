package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

func prometheusType() reflect.Type { return reflect.TypeFor[promconfig.Config]() }

// prometheus loads Prometheus' part of the file, and the files that it names.
func (l *loader) prometheus(root *node) {
	cfg, errs := l.loadPrometheus(root, l.opts.Logger)
	l.errs = append(l.errs, errs...)
	if cfg == nil {
		return
	}
	cfg.SetDirectory(l.dir)
	if n := root.get("storage", "tsdb", "retention"); n == nil || n.isNull() {
		*cfg.StorageConfig.TSDBConfig.Retention = l.opts.Retention
	}
	l.config.Prometheus = cfg
	l.scrapeConfigFiles(root)
	l.ruleFiles(root, cfg.GlobalConfig.MetricNameValidationScheme)
	l.warnMissingFiles(root, l.dir)
}

// loadPrometheus returns what is left of the configuration once everything
// wrong is taken out, and nil if nothing is.
func (l *loader) loadPrometheus(root *node, logger *slog.Logger) (*promconfig.Config, Errors) {
	var cfg *promconfig.Config
	d := diagnosis{root: root, typ: prometheusType(), secrets: &l.secrets, load: func(text string) error {
		var err error
		cfg = nil // Load may panic.
		cfg, err = promconfig.Load(text, logger)
		logger = slog.New(slog.DiscardHandler) // The first load has said it all.
		return err
	}}
	errs := d.run()
	return cfg, errs
}

// matches visits the files of each pattern in a list. A file named without a
// pattern must exist: Prometheus goes on without it, and so without its alerts.
func (l *loader) matches(list *node, dir string, visit func(n *node, file string)) {
	if list == nil {
		return
	}
	for _, n := range list.children {
		if n.hidden || n.kind != scalarKind {
			continue
		}
		pattern := commoncfg.JoinDir(dir, n.scalar.text)
		files, err := filepath.Glob(pattern)
		switch {
		case err != nil:
			l.fail(n, "%w; a literal [, ? or * needs a backslash", err)
		case len(files) == 0 && !strings.ContainsAny(pattern, "*?["):
			l.fail(n, "there is no file %s; create it, or correct the path", pattern)
		case len(files) == 0:
			l.warning(n, "no file matches")
		}
		for _, file := range files {
			visit(n, file)
		}
	}
}

// scrapeConfigFiles checks the files of scrape_config_files. Prometheus reads
// them again whenever it applies the configuration; if they hold references it
// would see just those, so then their jobs become part of the main file.
func (l *loader) scrapeConfigFiles(root *node) {
	var (
		cfg  = l.config.Prometheus
		jobs = map[string]Error{} // job name → where it is
		more []*promconfig.ScrapeConfig
		refs = len(l.secrets.scalars)
	)
	collect := func(list *node) {
		if list == nil {
			return
		}
		for _, c := range list.children {
			name := c.get("job_name")
			if name == nil || c.hidden {
				continue
			}
			if first, ok := jobs[name.scalar.text]; ok {
				l.fail(name, "job name %q is already used in %s:%d; give each job a name of its own", name.scalar.text, first.File, first.Line)
				continue
			}
			jobs[name.scalar.text] = l.at(name, nil)
		}
	}
	collect(root.get("scrape_configs"))
	l.matches(root.get("scrape_config_files"), l.dir, func(n *node, file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			l.fail(n, "read scrape configurations: %w", err)
			return
		}
		fileRoot := l.parse(file, text, filepath.Dir(file))
		if fileRoot == nil {
			return
		}
		// The jobs mean what they would mean beside the main file's global section.
		both := &node{kind: mappingKind, file: file}
		if global := root.get("global"); global != nil {
			both.children = append(both.children, global)
		}
		for _, c := range fileRoot.children {
			switch {
			case c.hidden:
			case c.key.text == "scrape_configs" || c.key.text == "<<":
				both.children = append(both.children, c)
			default:
				l.fail(c, "only scrape_configs may stand in this file; move the key to %s", l.file)
			}
		}
		loaded, errs := l.loadPrometheus(both, slog.New(slog.DiscardHandler))
		l.errs = append(l.errs, errs...)
		collect(fileRoot.get("scrape_configs"))
		if loaded == nil {
			return
		}
		for _, sc := range loaded.ScrapeConfigs {
			sc.SetDirectory(filepath.Dir(file))
			more = append(more, sc)
		}
		l.warnMissingFiles(fileRoot, filepath.Dir(file))
	})
	if len(l.secrets.scalars) > refs {
		cfg.ScrapeConfigs = append(cfg.ScrapeConfigs, more...)
		cfg.ScrapeConfigFiles = nil
	}
}

// ruleFiles checks the files of rule_files.
func (l *loader) ruleFiles(root *node, scheme model.ValidationScheme) {
	seen := map[string]bool{}
	l.matches(root.get("rule_files"), l.dir, func(n *node, file string) {
		clean, err := filepath.EvalSymlinks(file)
		if err != nil {
			l.fail(n, "read rules: %w", err)
			return
		}
		if seen[clean] {
			return
		}
		seen[clean] = true
		text, err := os.ReadFile(file)
		if err != nil {
			l.fail(n, "read rules: %w", err)
			return
		}
		if _, errs := ruler.ParseFile(text, scheme, l.opts.Parser, l.opts.Logger); len(errs) > 0 {
			l.errs = append(l.errs, l.explainRules(file, text, scheme, errors.Join(errs...))...)
		}
	})
}

// explainRules finds every error of a rule file that does not load.
func (l *loader) explainRules(file string, text []byte, scheme model.ValidationScheme, loadErr error) Errors {
	root, errs := parse(file, text)
	if root != nil {
		d := diagnosis{root: root, typ: reflect.TypeFor[rulefmt.RuleGroups](), secrets: &l.secrets, load: func(text string) error {
			_, errs := ruler.ParseFile([]byte(text), scheme, l.opts.Parser, slog.New(slog.DiscardHandler))
			return errors.Join(errs...)
		}}
		errs = append(errs, d.run()...)
	}
	if len(errs) == 0 {
		errs = Errors{{File: file, Err: loadErr}}
	}
	return errs
}
