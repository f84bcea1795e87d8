package scraper

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// newSocketName returns a name in Linux' abstract socket namespace. It needs no
// directory, so a read-only root file system or a long data path is no obstacle,
// and nothing is left behind after a crash.
func newSocketName() (string, error) {
	return "@hedgewatch-" + rand.Text(), nil
}

// listenSocket listens on name for connections of this process.
func listenSocket(name string) (net.Listener, error) {
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	return ownListener{l}, nil
}

// ownListener refuses connections of other processes: an abstract socket has no
// file permissions, and everyone in the network namespace can reach it.
type ownListener struct{ net.Listener }

// Accept implements net.Listener.
func (l ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if pid, err := peerPID(c); err == nil && pid == os.Getpid() {
			return c, nil
		}
		// A stranger gets no answer, so there is nothing to report to it.
		_ = c.Close()
	}
}

// peerPID returns the process at the other end of c.
func peerPID(c net.Conn) (int, error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, fmt.Errorf("read peer credentials: %w", credErr)
	}
	return int(cred.Pid), nil
}
