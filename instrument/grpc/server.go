package grpcmetrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Server measures what a gRPC server answers. It is safe for concurrent use.
type Server struct{ calls *calls }

// NewServer registers the metrics grpc_server_*.
func NewServer(reg prometheus.Registerer) (*Server, error) {
	c, err := newCalls(reg, "server")
	if err != nil {
		return nil, err
	}
	return &Server{c}, nil
}

// Expect lets the counters of all methods of a server begin at 0. Call it when
// the services are registered.
func (s *Server) Expect(server *grpc.Server) {
	for service, info := range server.GetServiceInfo() {
		for _, m := range info.Methods {
			s.calls.get("/"+service+"/"+m.Name, kind(m.IsClientStream, m.IsServerStream))
		}
	}
}

// Unary is for grpc.ChainUnaryInterceptor. Put it first: it sees what the others
// refuse.
func (s *Server) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	m := s.calls.get(info.FullMethod, "unary")
	m.started.Inc()
	start := time.Now()
	code := codes.Internal // What a panic leaves behind.
	defer func() { m.end(code, time.Since(start)) }()
	resp, err = handler(ctx, req)
	code = codeOf(err)
	return resp, err
}

// Stream is for grpc.ChainStreamInterceptor. Put it first: it sees what the others
// refuse.
func (s *Server) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	m := s.calls.get(info.FullMethod, kind(info.IsClientStream, info.IsServerStream))
	m.started.Inc()
	start := time.Now()
	code := codes.Internal
	defer func() { m.end(code, time.Since(start)) }()
	err = handler(srv, stream)
	code = codeOf(err)
	return err
}

// codeOf also knows the errors of contexts, which gRPC turns into a code later.
func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return status.FromContextError(err).Code()
}
