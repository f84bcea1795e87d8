//go:build !linux

package scraper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// newSocketName returns a socket path in a directory of our own user alone.
func newSocketName() (string, error) {
	dir, err := os.MkdirTemp("", "hedgewatch-")
	if err != nil {
		return "", fmt.Errorf("create a directory for the local scrape socket: %w", err)
	}
	return filepath.Join(dir, "scrape.sock"), nil
}

// listenSocket listens on name. The socket's directory keeps others out, and
// goes with the listener.
func listenSocket(name string) (net.Listener, error) {
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	return tidyListener{l, filepath.Dir(name)}, nil
}

type tidyListener struct {
	net.Listener
	dir string
}

// Close implements net.Listener.
func (l tidyListener) Close() error {
	return errors.Join(l.Listener.Close(), os.RemoveAll(l.dir))
}
