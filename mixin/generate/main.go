// Command generate writes the shipped dashboards, mixin/dashboards/*.json, as
// Grafana's classic JSON. Each dashboard is one file here, in the few words that
// tell it from the others; grafana.go has the rest.
//
//	go run ./mixin/generate
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := "mixin/dashboards"
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// dashboards lists all that are shipped, in the order of the links between them.
func dashboards() []dashboard {
	return []dashboard{
		overview(), host(), services(), synchronisation(), limits(), backoff(), alertPath(), self(),
	}
}

func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range dashboards() {
		text, err := d.json()
		if err != nil {
			return fmt.Errorf("dashboard %s: %w", d.uid, err)
		}
		if err := os.WriteFile(filepath.Join(dir, d.uid+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
