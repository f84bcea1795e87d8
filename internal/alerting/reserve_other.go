//go:build !linux

package alerting

import (
	"errors"
	"os"
)

// Without known free space, nothing is reserved.
func freeBytes(string) (n int64, known bool) { return 0, false }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }
