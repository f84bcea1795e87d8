package archtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Dependency is a module that is linked into the binary.
type Dependency struct {
	Module string
	// Licence is an SPDX expression.
	Licence string
}

// Dependencies asks the go command which modules the package pattern links, and
// reads the licence of each from its files. They are sorted by module.
func Dependencies(ctx context.Context, root, pattern string) ([]Dependency, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module", pattern)
	cmd.Dir = root
	// The list must not depend on who asks.
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the modules of %s: %w\n%s", pattern, err, &stderr)
	}

	dirs := make(map[string]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("list the modules of %s: %w", pattern, err)
		}
		// A module below the root is ours, and has the licence of the root.
		if p.Module != nil && !p.Module.Main && !within(root, p.Module.Dir) {
			dirs[p.Module.Path] = p.Module.Dir
		}
	}

	var dependencies []Dependency
	for module, dir := range dirs {
		licence, err := licenceOf(dir)
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", module, err)
		}
		dependencies = append(dependencies, Dependency{module, licence})
	}
	slices.SortFunc(dependencies, func(a, b Dependency) int { return strings.Compare(a.Module, b.Module) })
	return dependencies, nil
}

func within(root, dir string) bool {
	root, err := filepath.Abs(root)
	if err != nil {
		return false // Then its licence is asked for, which is on the safe side.
	}
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel) && dir != ""
}

func licenceOf(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	file := regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)(\.(md|txt))?$`)
	var found []string
	for _, entry := range entries {
		if entry.IsDir() || !file.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		found = append(found, recognize(string(text))...)
	}
	if len(found) == 0 {
		return "", errors.New("no licence recognized; read the module's licence, and teach recognize its words if we may use it")
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), nil
}

// recognize returns the licences whose own words stand in a text. It knows those
// that we may link; any other is not recognized, on purpose.
func recognize(text string) []string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(words string) bool { return strings.Contains(text, words) }
	var found []string
	if has("apache license") && has("version 2.0") {
		found = append(found, "Apache-2.0")
	}
	if has("mozilla public license") && has("2.0") {
		found = append(found, "MPL-2.0")
	}
	if has("permission is hereby granted, free of charge, to any person obtaining") {
		found = append(found, "MIT")
	}
	if has("permission to use, copy, modify, and") && has("for any purpose with or without fee") {
		found = append(found, "ISC")
	}
	if has("this is free and unencumbered software") {
		found = append(found, "Unlicense")
	}
	if has("redistribution and use in source and binary forms") {
		if has("neither the name") || has("names of its contributors") || has("endorse or promote") {
			found = append(found, "BSD-3-Clause")
		} else {
			found = append(found, "BSD-2-Clause")
		}
	}
	return found
}
