// Package mixin holds the monitoring that hedgewatch ships: alerting and
// recording rules as plain Prometheus files and dashboards as Grafana's JSON,
// embedded in the binary and usable by a stock Prometheus and Grafana as they
// are.
//
// It does not load, evaluate or configure anything; that is the ruler's work.
// Start with Rules. README.md says what each file needs, docs/runbooks what to do
// when an alert fires.
package mixin

import (
	"embed"
	"fmt"
	"io/fs"

	"go.yaml.in/yaml/v3"
)

//go:embed rules/*.yml dashboards/*.json
var files embed.FS

// Rules returns the shipped rule files, such as "host.yml", in a flat directory.
func Rules() fs.FS {
	rules, err := fs.Sub(files, "rules")
	if err != nil {
		panic(err) // Only an invalid path fails, and this one is constant.
	}
	return rules
}

// Dashboards returns the shipped dashboards, such as "hedgewatch-overview.json",
// in a flat directory: Grafana's classic JSON, written by ./generate.
func Dashboards() fs.FS {
	dashboards, err := fs.Sub(files, "dashboards")
	if err != nil {
		panic(err) // Only an invalid path fails, and this one is constant.
	}
	return dashboards
}

// Names returns the names of all shipped groups, alerts and recording rules.
func Names() ([]string, error) {
	paths, err := fs.Glob(Rules(), "*.yml")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, path := range paths {
		text, err := fs.ReadFile(Rules(), path)
		if err != nil {
			return nil, err
		}
		var file struct {
			Groups []struct {
				Name  string
				Rules []struct{ Alert, Record string }
			}
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("shipped rule file %s: %w", path, err)
		}
		for _, g := range file.Groups {
			names = append(names, g.Name)
			for _, r := range g.Rules {
				names = append(names, r.Alert+r.Record)
			}
		}
	}
	return names, nil
}
