package grpcmetrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a real server and connects a real client, both measured.
func start(t *testing.T) (*Server, *Client, grpc_health_v1.HealthClient) {
	t.Helper()
	measured, err := NewServer(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	clients, err := NewClient(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(measured.Unary), grpc.ChainStreamInterceptor(measured.Stream))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	measured.Expect(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(clients.Unary), grpc.WithChainStreamInterceptor(clients.Stream))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return measured, clients, grpc_health_v1.NewHealthClient(conn)
}

func wantCount(t *testing.T, c *calls, name, kind string, code codes.Code, want float64) {
	t.Helper()
	got := testutil.ToFloat64(c.handled.WithLabelValues(kind, "grpc.health.v1.Health", name, code.String()))
	if got != want {
		t.Errorf("got %v calls of %s that ended with %v, want %v", got, name, code, want)
	}
}

func TestCallsAreCountedOnBothSides(t *testing.T) {
	server, clients, c := start(t)
	// All codes of the three methods of the service are there before the first call.
	if got, want := testutil.CollectAndCount(server.calls.handled), 3*codeCount; got != want {
		t.Errorf("got %d series of the server, want %d at 0", got, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "nothing"}); err == nil {
		t.Fatal("got no error for a service that there is not")
	}
	for _, side := range []*calls{server.calls, clients.calls} {
		wantCount(t, side, "Check", "unary", codes.OK, 1)
		wantCount(t, side, "Check", "unary", codes.NotFound, 1)
		wantCount(t, side, "Check", "unary", codes.Internal, 0)
		if got := testutil.ToFloat64(side.started.WithLabelValues("unary", "grpc.health.v1.Health", "Check")); got != 2 {
			t.Errorf("got %v calls begun, want 2", got)
		}
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	_, clients, c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	wantCount(t, clients.calls, "Watch", "server_stream", codes.Canceled, 0)
	cancel()
	if _, err := stream.Recv(); err == nil {
		t.Fatal("got no error after the context ended")
	}
	wantCount(t, clients.calls, "Watch", "server_stream", codes.Canceled, 1)
}

func TestStreamsEndOnceAndWell(t *testing.T) {
	clients, err := NewClient(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	const full = "/grpc.health.v1.Health/List"
	open := func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
		return endedStream{}, nil
	}
	stream, err := clients.Stream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, nil, full, open)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.RecvMsg(nil); !errors.Is(err, io.EOF) {
			t.Fatalf("got error %v, want the end", err)
		}
	}
	wantCount(t, clients.calls, "List", "server_stream", codes.OK, 1)
}

type endedStream struct{ grpc.ClientStream }

func (endedStream) RecvMsg(any) error { return io.EOF }

func TestPanicOfAHandlerIsAnInternalError(t *testing.T) {
	server, err := NewServer(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = server.Unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"},
			func(context.Context, any) (any, error) { panic("bug") })
	}()
	wantCount(t, server.calls, "Check", "unary", codes.Internal, 1)
}

func TestMethodsAreBounded(t *testing.T) {
	server, err := NewServer(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxMethods {
		server.calls.get(fmt.Sprintf("/service/method%d", i), "unary")
	}
	if got := len(*server.calls.known.Load()); got != maxMethods+1 {
		t.Errorf("got %d methods, want %d and other", got, maxMethods)
	}
}

func BenchmarkServerUnary(b *testing.B) {
	server, err := NewServer(prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	info := &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	b.ReportAllocs()
	for b.Loop() {
		_, _ = server.Unary(b.Context(), nil, info, handler)
	}
}
