package grpcmetrics

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
)

// Client measures the calls that gRPC clients make. It is safe for concurrent use.
type Client struct{ calls *calls }

// NewClient registers the metrics grpc_client_*.
func NewClient(reg prometheus.Registerer) (*Client, error) {
	c, err := newCalls(reg, "client")
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

// Expect lets the counters of a unary method, "/package.Service/Method", begin at 0.
func (c *Client) Expect(methods ...string) {
	for _, full := range methods {
		c.calls.get(full, "unary")
	}
}

// Unary is for grpc.WithChainUnaryInterceptor. Put it first.
func (c *Client) Unary(ctx context.Context, full string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	m := c.calls.get(full, "unary")
	m.started.Inc()
	start := time.Now()
	err := invoke(ctx, full, req, reply, conn, opts...)
	m.end(codeOf(err), time.Since(start))
	return err
}

// Stream is for grpc.WithChainStreamInterceptor. Put it first. A stream ends with
// the first error of its messages, io.EOF among them, or with its context.
func (c *Client) Stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, full string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	m := c.calls.get(full, kind(desc.ClientStreams, desc.ServerStreams))
	m.started.Inc()
	start := time.Now()
	stream, err := open(ctx, desc, conn, full, opts...)
	if err != nil {
		m.end(codeOf(err), time.Since(start))
		return nil, err
	}
	s := &clientStream{ClientStream: stream, answers: desc.ServerStreams}
	s.ended = func(err error) {
		s.once.Do(func() {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			m.end(codeOf(err), time.Since(start))
		})
	}
	// Who gives up may never look at the stream again.
	s.stop = context.AfterFunc(ctx, func() { s.ended(ctx.Err()) })
	return s, nil
}

type clientStream struct {
	grpc.ClientStream
	answers bool // The server sends a stream, whose end is io.EOF.
	once    sync.Once
	ended   func(error)
	stop    func() bool
}

// RecvMsg implements grpc.ClientStream.
func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil || !s.answers {
		s.stop()
		s.ended(err)
	}
	return err
}
