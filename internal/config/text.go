package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

// text writes the loaded configuration as one file.
func (l *loader) text() string {
	var b strings.Builder
	b.WriteString(l.config.Prometheus.String())
	for _, s := range sections() {
		shown := s.show(l.config)
		if shown == nil {
			continue
		}
		text, err := yaml.Marshal(map[string]any{s.key: shown})
		if err != nil {
			l.failFile(l.file, fmt.Errorf("write section %s: %w", s.key, err))
			return ""
		}
		b.Write(text)
	}
	text, err := l.secrets.mask(b.String())
	if err != nil {
		l.failFile(l.file, err)
	}
	return text
}

// warnSilence names a configuration that notifies nobody.
func (l *loader) warnSilence() {
	if l.config.Alerting == nil && len(l.config.Prometheus.AlertingConfig.AlertmanagerConfigs) == 0 {
		l.config.Warnings = append(l.config.Warnings, l.file+
			": alerts are shown but nobody is notified; add an alertmanager section, or alerting.alertmanagers")
	}
}

// warning is an Error that stops nothing.
func (l *loader) warning(n *node, format string, args ...any) {
	err := errors.New(l.secrets.clean(n, fmt.Sprintf(format, args...)))
	l.config.Warnings = append(l.config.Warnings, l.at(n, err).Error())
}

// warnMissingFiles names credentials and certificates that are not there yet.
// Prometheus and Alertmanager read them when they need them, so a missing one
// is no error, but until it appears each request fails.
func (l *loader) warnMissingFiles(root *node, dir string) {
	root.walk(func(n *node) {
		name := n.key.text
		switch {
		case n.kind != scalarKind, n.scalar.text == "", !strings.HasSuffix(name, "_file"),
			name == "config_file", name == "query_log_file", name == "scrape_failure_log_file":
			return
		}
		// Alertmanager takes some paths from the working directory.
		_, err := os.Stat(commoncfg.JoinDir(dir, n.scalar.text))
		if errors.Is(err, os.ErrNotExist) {
			_, err = os.Stat(filepath.Clean(n.scalar.text))
		}
		if err != nil {
			l.warning(n, "%v; requests that need it fail until it exists", err)
		}
	})
}
