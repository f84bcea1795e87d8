package governor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// drainTimeout is how long requests under way may take when we stop. The exchange
// gives up after 10 s.
const drainTimeout = 12 * time.Second

const (
	// headTimeout is for a client to send the head of a request.
	headTimeout = 5 * time.Second
	// keepTimeout is for the next request of a connection to come.
	keepTimeout = 2 * time.Minute
)

// listener is the address and its server. It lives as long as the process: a reload
// changes what stands behind it.
type listener struct {
	address string
	most    int
	logger  *slog.Logger
	handler *handler
	server  *http.Server
	cert    atomic.Pointer[tls.Certificate]

	mu    sync.Mutex
	bound net.Listener
	// sockets are connections that the server no longer knows.
	sockets map[*[2]io.Closer]struct{}
	ended   bool
	working sync.WaitGroup
}

func newListener(g *Governor, cfg Config) (*listener, error) {
	l := &listener{address: cfg.Listen, most: cfg.MaxConnections, logger: g.logger, handler: newHandler(g)}
	l.server = &http.Server{
		Handler:           l.handler,
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       keepTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(g.logger.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	l.server.Protocols.SetHTTP1(true)
	l.server.Protocols.SetHTTP2(true)
	l.server.Protocols.SetUnencryptedHTTP2(true)
	commit, err := l.prepare(cfg)
	if err != nil || cfg.TLS.CertFile == "" {
		return l, err
	}
	commit()
	l.server.TLSConfig = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.cert.Load(), nil },
	}
	if cfg.TLS.ClientCAFile == "" {
		return l, nil
	}
	pem, err := os.ReadFile(cfg.TLS.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("governor.tls.client_ca_file: %w", err)
	}
	l.server.TLSConfig.ClientCAs = x509.NewCertPool()
	if !l.server.TLSConfig.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("governor.tls.client_ca_file: %s has no certificate", cfg.TLS.ClientCAFile)
	}
	l.server.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
	return l, nil
}

// prepare reads the certificate again.
func (l *listener) prepare(cfg Config) (commit func(), err error) {
	if cfg.TLS.CertFile == "" {
		return func() {}, nil
	}
	cert, err := tls.LoadX509KeyPair(cfg.TLS.CertFile, cfg.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("governor.tls: %w", err)
	}
	return func() { l.cert.Store(&cert) }, nil
}

func (l *listener) addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound == nil {
		return nil
	}
	return l.bound.Addr()
}

func (l *listener) bind() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound != nil {
		return nil
	}
	bound, err := inherited(os.Getenv)
	if err == nil && bound == nil {
		bound, err = net.Listen("tcp", l.address)
	}
	if err != nil {
		return fmt.Errorf("governor.listen: %w; use another address, or end who has it", err)
	}
	l.bound = newLimitedListener(bound, l.most)
	return nil
}

// activationName is the name of the socket in a systemd unit.
const activationName = "governor"

// inherited is the socket that systemd holds for us, nil if there is none. It stays
// open between two processes, so that a restart refuses no connection: what comes
// meanwhile waits in the kernel. See sd_listen_fds(3).
func inherited(getenv func(string) string) (net.Listener, error) {
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 {
		return nil, nil
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	const first = 3
	for i := range n {
		if i >= len(names) || names[i] != activationName {
			continue
		}
		fd := first + i
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), activationName)
		defer f.Close()
		return net.FileListener(f)
	}
	return nil, nil
}

// serve answers until ctx ends, and then lets finish what is under way.
func (l *listener) serve(ctx context.Context) error {
	ended := make(chan error, 2)
	stop := func(context.Context) error { return nil }
	running := 1
	if l.server.TLSConfig != nil {
		go func() { ended <- l.server.ServeTLS(l.bound, "", "") }()
	} else {
		limits := http1.Limits{Head: headTimeout, Idle: keepTimeout, Write: writeTimeout}
		front := http1.NewServer(l.bound, l.handler, limits, l.logger)
		running, stop = 2, front.Shutdown
		go func() { ended <- front.Serve() }()
		go func() { ended <- l.server.Serve(front) }()
	}
	select {
	case err := <-ended:
		running--
		return errors.Join(err, l.stop(context.WithoutCancel(ctx), stop, ended, running))
	case <-ctx.Done():
		return l.stop(context.WithoutCancel(ctx), stop, ended, running)
	}
}

func (l *listener) stop(ctx context.Context, front func(context.Context) error, ended <-chan error, running int) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	l.closeSockets()
	err := front(ctx)
	if failed := l.server.Shutdown(ctx); failed != nil {
		err = errors.Join(err, failed, l.server.Close())
	}
	l.working.Wait()
	for range running {
		<-ended // It says that the listener was closed.
	}
	if err != nil {
		err = fmt.Errorf("finish requests under way: %w", err)
	}
	return err
}

// track closes both ends of a connection that was taken from the server, when the
// server stops.
func (l *listener) track(client, upstream io.Closer) (release func()) {
	pair := &[2]io.Closer{client, upstream}
	l.working.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets == nil {
		l.sockets = make(map[*[2]io.Closer]struct{})
	}
	l.sockets[pair] = struct{}{}
	if l.ended {
		_, _ = client.Close(), upstream.Close() // As in closeSockets.
	}
	return func() {
		l.mu.Lock()
		delete(l.sockets, pair)
		l.mu.Unlock()
		l.working.Done()
	}
}

func (l *listener) closeSockets() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for pair := range l.sockets {
		// Their goroutines end with an error then, and report nothing more.
		_, _ = pair[0].Close(), pair[1].Close()
	}
}

// limitedListener accepts no more connections than it may: the rest waits in the
// kernel, whose queue is bounded.
type limitedListener struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimitedListener(l net.Listener, most int) *limitedListener {
	return &limitedListener{Listener: l, free: make(chan struct{}, most), closed: make(chan struct{})}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// NetConn is the connection itself, as tls.Conn has it.
func (c *limitedConn) NetConn() net.Conn { return c.Conn }

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
