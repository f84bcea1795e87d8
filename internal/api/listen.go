package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/prometheus/prometheus/util/netconnlimit"
)

// Listen binds the addresses, so that a port in use is known before anything
// else starts. Where others can reach us it then makes sure that somebody can
// log in; nothing is served before Run.
func (s *Server) Listen() error {
	slots := netconnlimit.NewSharedSemaphore(s.cfg.MaxConnections)
	for _, address := range s.cfg.ListenAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			s.Close()
			return listenError(address, err)
		}
		s.listeners = append(s.listeners, netconnlimit.SharedLimitListener(l, slots))
	}
	if err := s.ensureLogin(context.Background()); err != nil {
		s.Close()
		return err
	}
	tls := s.gate.current.Load().tls != nil
	if s.gate.exposed && !tls {
		s.deps.Logger.Warn("Listening without TLS: passwords and tokens cross the network readably; set tls_server_config in --web.config.file")
	}
	s.deps.Logger.Info("Listening", "addresses", s.Addrs(), "tls", tls)
	return nil
}

// Addr is the first bound address, nil before Listen.
func (s *Server) Addr() net.Addr {
	if len(s.listeners) == 0 {
		return nil
	}
	return s.listeners[0].Addr()
}

// Addrs are all bound addresses.
func (s *Server) Addrs() []string {
	var out []string
	for _, l := range s.listeners {
		out = append(out, l.Addr().String())
	}
	return out
}

// Close gives the addresses back if the server is not going to run.
func (s *Server) Close() {
	for _, l := range s.listeners {
		_ = l.Close() // Nothing was accepted yet.
	}
	s.listeners = nil
}

func listenError(address string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "; stop what uses it or choose another --web.listen-address"
		_, port, _ := net.SplitHostPort(address)
		if n, convErr := strconv.Atoi(port); convErr == nil {
			if holder := portHolder(n); holder != "" {
				hint = fmt.Sprintf("; it is used by %s: stop that or choose another --web.listen-address", holder)
			}
		}
	case errors.Is(err, syscall.EACCES):
		hint = "; ports below 1024 need a privilege: choose another --web.listen-address"
	}
	return fmt.Errorf("listen on %s: %w%s", address, err, hint)
}
