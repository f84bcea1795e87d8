package store

import (
	"os"
	"syscall"
)

// freeBytes is what a process without privileges can still write below dir.
func freeBytes(dir string) (n int64, known bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, false
	}
	return int64(fs.Bavail) * fs.Bsize, true
}

func fallocate(f *os.File, sizeBytes int64) error {
	return syscall.Fallocate(int(f.Fd()), 0, 0, sizeBytes)
}
