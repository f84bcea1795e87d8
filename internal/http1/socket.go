package http1

import (
	"errors"
	"net"
	"syscall"
)

// state is what a socket has to say.
type state int

const (
	quiet state = iota
	readable
	ended
)

// socket looks at a connection without reading from it or waiting. One goroutine at
// a time may use it.
type socket struct {
	raw   syscall.RawConn // Nil if the connection has none.
	seen  state
	peek  func(fd uintptr) // One for all looks.
	space [1]byte
}

func newSocket(c net.Conn) *socket {
	s := new(socket)
	// A connection may be wrapped, as one that counts is.
	for {
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = inner.NetConn()
	}
	if sc, ok := c.(syscall.Conn); ok {
		// It only fails for one that is closed, which shows when it is used.
		s.raw, _ = sc.SyscallConn()
	}
	s.peek = func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), s.space[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == nil && n > 0:
			s.seen = readable
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
			s.seen = quiet
		default:
			s.seen = ended
		}
	}
	return s
}

func (s *socket) look() state {
	if s.raw == nil {
		return quiet
	}
	if err := s.raw.Control(s.peek); err != nil {
		return ended
	}
	return s.seen
}
