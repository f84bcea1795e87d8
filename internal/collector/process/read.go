package process

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// reader reads files below /proc/<pid>. It goes past package os, which allocates
// for each file and prepares it to be polled.
type reader struct {
	root string
	// buf is longer than any file we read: status has some 1,500 bytes.
	buf [16 << 10]byte
}

// read returns the file's content, valid until the next read.
func (r *reader) read(pid int, name string) ([]byte, error) {
	path := r.root + "/" + strconv.Itoa(pid) + "/" + name
	fd, err := ignoringEINTR(func() (int, error) { return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	// The kernel hands out each of these files in one piece.
	n, err := ignoringEINTR(func() (int, error) { return syscall.Read(fd, r.buf[:]) })
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return r.buf[:n], nil
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// vanished reports whether a process ended before or while it was read.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// list returns the ids of all processes.
func (r *reader) list() ([]int, error) {
	dir, err := os.Open(r.root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
