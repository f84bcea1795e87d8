package archtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDependenciesAreListedWithTheirLicences(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dependencies, err := Dependencies(ctx, repository, "./cmd/hedgewatch")
	if err != nil {
		t.Fatal(err)
	}

	notice, err := os.ReadFile(filepath.Join(repository, "NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dependencies {
		if strings.Contains(d.Licence, "MPL-2.0") && !strings.Contains(string(notice), d.Module+"\n") {
			t.Errorf("NOTICE does not name %s, whose licence %s asks for it", d.Module, d.Licence)
		}
	}

	page := filepath.Join(repository, "docs", "dependencies.md")
	got := dependenciesPage(dependencies)
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/dependencies.md is old; read the change, then run make generate (-page +binary):\n%s", diff)
	}
}

func dependenciesPage(dependencies []Dependency) string {
	var page strings.Builder
	fmt.Fprintf(&page, `# Dependencies

The %d modules that are linked into `+"`hedgewatch`"+`, and their licences as their own files
state them. `+"`make generate`"+` writes this page and a test compares it with the binary, so a new
dependency is seen in review. Versions are in go.mod.

| module | licence |
| --- | --- |
`, len(dependencies))
	for _, d := range dependencies {
		fmt.Fprintf(&page, "| %s | %s |\n", d.Module, d.Licence)
	}
	return page.String()
}

func TestRecognizeKnowsALicenceByItsOwnWords(t *testing.T) {
	const bsd = "Redistribution and use in source and\n  binary forms, with or without modification, are permitted"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"Apache", "Apache License\n   Version 2.0, January 2004", []string{"Apache-2.0"}},
		{"MPL", "Mozilla Public License, version 2.0", []string{"MPL-2.0"}},
		{"MIT without a title", "Permission is hereby granted, free of charge, to any person\nobtaining a copy", []string{"MIT"}},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any\npurpose with or without fee is hereby granted", []string{"ISC"}},
		{"BSD with two clauses", bsd, []string{"BSD-2-Clause"}},
		{"BSD with three clauses", bsd + ". Neither the name of the author", []string{"BSD-3-Clause"}},
		{"two licences in one file", "Apache License Version 2.0. Parts: permission is hereby granted, free of charge, to any person obtaining", []string{"Apache-2.0", "MIT"}},
		{"a licence that we may not link", "GNU AFFERO GENERAL PUBLIC LICENSE Version 3", nil},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, recognize(tt.text)); diff != "" {
				t.Errorf("recognize(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestLicenceOfAModuleWithoutOneIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("All rights reserved."), 0o644); err != nil {
		t.Fatal(err)
	}
	if licence, err := licenceOf(dir); err == nil {
		t.Errorf("got licence %q, want an error", licence)
	}
}
