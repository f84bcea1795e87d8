//go:build !linux

package store

import (
	"errors"
	"os"
)

func freeBytes(string) (n int64, known bool) { return 0, false }

func fallocate(*os.File, int64) error { return errors.ErrUnsupported }
