package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

const (
	// watchInterval is how often renewed certificates are looked for.
	watchInterval = 15 * time.Second
	// writeTimeout bounds one answer, event streams and profiles included;
	// browsers reconnect a stream by themselves.
	writeTimeout = 10 * time.Minute
	// headerTimeout bounds how long a client may take to say what it wants.
	headerTimeout = 10 * time.Second
	// killGrace is what handlers get to return after their connections closed.
	killGrace = 2 * time.Second
)

// Server serves everything on one set of listeners.
type Server struct {
	cfg     Config
	deps    Deps
	start   time.Time
	metrics *metrics
	gate    *gate
	handler http.Handler
	// buildAPI builds the embedded Prometheus API once. That takes a tenth of
	// a second, so Run does it beside the opening of the store; a request
	// that comes before waits.
	buildAPI func() http.Handler

	listeners []net.Listener
	open      atomic.Int64 // connections
	inFlight  sync.WaitGroup
	stopping  chan struct{} // closed when Run begins to stop
}

// New checks the configuration and builds all handlers. It binds no address.
func New(c Config, d Deps) (*Server, error) {
	c, cfgErr := c.withDefaults()
	d, depErr := d.withDefaults(c)
	if err := errors.Join(cfgErr, depErr); err != nil {
		return nil, fmt.Errorf("build HTTP server: %w", err)
	}
	cors, err := c.corsOrigin()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      c,
		deps:     d,
		start:    time.Now().UTC(),
		stopping: make(chan struct{}),
	}
	s.metrics = newMetrics(d.Registerer, s)
	s.gate = &gate{
		server:  s,
		exposed: c.exposed(),
		logins:  newLogins(),
		oidc:    &oidcLogins{pending: map[string]oidcLogin{}},
		browser: newBrowserGuard(c.ExternalURL, cors),
	}
	commit, err := s.Prepare(c.Login)
	if err != nil {
		return nil, err
	}
	commit()

	mux, err := s.routes(cors)
	if err != nil {
		return nil, err
	}
	s.handler = s.track(underPrefix(c.RoutePrefix, s.gate.wrap(mux)))
	return s, nil
}

// Handler is everything that the listener serves, for use without one.
func (s *Server) Handler() http.Handler { return s.handler }

// Prepare reads the web config file again for a reload. Nothing changes until
// commit is called.
func (s *Server) Prepare(l state.LoginConfig) (commit func(), err error) {
	commitAccess, err := s.gate.prepare()
	if err != nil {
		return nil, err
	}
	return func() {
		s.gate.login.Store(&l)
		commitAccess()
	}, nil
}

// Run serves until ctx ends. It then lets answers under way finish, for
// DrainTimeout, and closes what is left.
func (s *Server) Run(ctx context.Context) error {
	if len(s.listeners) == 0 {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := s.httpServer(base)

	serving := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { serving <- s.serve(server, l) }()
	}
	running := len(s.listeners)
	built := make(chan struct{})
	go func() { defer close(built); s.buildAPI() }()

	watch := time.NewTicker(watchInterval)
	defer watch.Stop()
	var failed error
	for done := false; !done; {
		select {
		case <-watch.C:
			s.gate.refresh()
		case failed = <-serving:
			running--
			done = true
		case <-ctx.Done():
			done = true
		}
	}

	close(s.stopping)
	err := errors.Join(failed, s.drain(base, cancel, server))
	for range running {
		<-serving // Each returns at once when the server is shut down.
	}
	<-built
	return err
}

func (s *Server) httpServer(base context.Context) *http.Server {
	server := &http.Server{
		Handler:           s.handler,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.deps.Logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       s.cfg.ReadTimeout,
		WriteTimeout:      writeTimeout,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
			}
		},
	}
	a := s.gate.current.Load()
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(a.http2)
	if a.tls != nil {
		// Every handshake takes the certificate that is current then.
		server.TLSConfig = &tls.Config{
			MinVersion: a.tls.MinVersion,
			NextProtos: a.tls.NextProtos,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return s.gate.current.Load().tls, nil
			},
		}
	}
	return server
}

func (s *Server) serve(server *http.Server, l net.Listener) error {
	var err error
	if server.TLSConfig != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}

// drain waits for answers under way, then closes their connections.
func (s *Server) drain(base context.Context, cancel func(), server *http.Server) error {
	deadline, done := context.WithTimeout(base, s.cfg.DrainTimeout)
	defer done()
	if server.Shutdown(deadline) == nil {
		return nil
	}
	s.deps.Logger.Warn("Closing connections that did not finish in time", "deadline", s.cfg.DrainTimeout)
	cancel()
	err := server.Close()

	idle := make(chan struct{})
	go func() { s.inFlight.Wait(); close(idle) }()
	select {
	case <-idle:
		return err
	case <-time.After(killGrace):
		return errors.Join(err, errors.New("requests are still being answered after their connections were closed"))
	}
}

// isStopping tells whether Run has begun to stop.
func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// track counts requests, so that no handler outlives Run unnoticed.
func (s *Server) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inFlight.Add(1)
		defer s.inFlight.Done()
		next.ServeHTTP(w, r)
	})
}

// endsWithServer cancels an endless answer as soon as the server stops.
func (s *Server) endsWithServer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-s.stopping:
				cancel()
			case <-ended:
			}
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
