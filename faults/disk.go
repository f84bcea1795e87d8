package faults

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fillDisk leaves no room for up to three seconds, and may kill the program then.
func (w *world) fillDisk(kill bool) func(context.Context) error {
	return func(ctx context.Context) error {
		path := filepath.Join(w.disk, "ballast")
		if err := errors.Join(occupy(path), pause(ctx, w.within(3*time.Second))); err != nil {
			return err
		}
		if kill {
			w.program.kill()
		}
		if err := os.Remove(path); err != nil || !kill {
			return err
		}
		return w.program.start(ctx)
	}
}

// occupy writes until nothing more fits.
func occupy(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, block := range [][]byte{make([]byte, 1<<20), make([]byte, 1<<10)} {
		for err == nil {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		err = nil
	}
	return nil
}
