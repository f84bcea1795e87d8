package alerting

import (
	"os"
	"syscall"
)

// freeBytes is what a process without privileges can still write below dir.
func freeBytes(dir string) (n int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * s.Bsize, true
}

func allocate(f *os.File, sizeBytes int64) error {
	return syscall.Fallocate(int(f.Fd()), 0, 0, sizeBytes)
}
