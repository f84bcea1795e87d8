package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

// measureBinary sizes the stripped binary against the files that it replaces.
func measureBinary(_ context.Context, b *bench) ([]result, error) {
	ours, err := strippedSize(b.hedgewatch)
	if err != nil {
		return nil, err
	}
	r := result{what: "binary, stripped", unit: megabytes(), ours: sample{ours}, most: 120e6}
	total := 0.0
	for _, name := range []string{"prometheus", "alertmanager", "node_exporter"} {
		size, err := strippedSize(b.peer(name))
		if errors.Is(err, os.ErrNotExist) {
			b.say("  measured alone, run `make peers`: %v", err)
			return []result{r}, nil
		}
		if err != nil {
			return nil, err
		}
		total += size
	}
	r.peer = sample{total}
	return []result{r}, nil
}

// strippedSize refuses a binary with a symbol table: its size says nothing.
func strippedSize(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	f, err := elf.Open(path)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	if f.Section(".symtab") != nil {
		return 0, fmt.Errorf("%s is not stripped; build it with -ldflags '-s -w'", path)
	}
	return float64(info.Size()), nil
}
