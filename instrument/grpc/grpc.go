// Package grpcmetrics measures the calls that a gRPC server answers and a gRPC
// client makes: rate, errors, duration.
//
// The metrics have the names and labels of go-grpc-prometheus, which dashboards
// and rules for gRPC know. It is a module of its own, so that services without
// gRPC do not depend on it. Start with [NewServer] or [NewClient].
package grpcmetrics

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// codeCount is the number of status codes; the last is Unauthenticated.
const codeCount = int(codes.Unauthenticated) + 1

// maxMethods bounds the labels grpc_service and grpc_method. Only a server with an
// UnknownServiceHandler is called by names that it does not have.
const maxMethods = 500

// method is a method as the wire names it, "/package.Service/Method", and its kind.
type method struct{ full, kind string }

// methodMetrics are the metrics of one method.
type methodMetrics struct {
	started prometheus.Counter
	handled [codeCount]prometheus.Counter
	took    prometheus.Observer
}

// calls finds the metrics of a method without a lock and without an allocation.
type calls struct {
	started, handled *prometheus.CounterVec
	took             *prometheus.HistogramVec

	known atomic.Pointer[map[method]*methodMetrics]
	mu    sync.Mutex // Held while known grows.
}

// newCalls registers the metrics of one side, "server" or "client".
func newCalls(reg prometheus.Registerer, side string) (*calls, error) {
	if reg == nil {
		return nil, fmt.Errorf("register the metrics of the gRPC %s: the Registerer is nil; pass prometheus.NewRegistry()", side)
	}
	labels := []string{"grpc_type", "grpc_service", "grpc_method"}
	prefix := "grpc_" + side
	c := &calls{
		started: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "_started_total", Help: "Calls begun.",
		}, labels),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "_handled_total", Help: "Calls ended, by status code.",
		}, append(labels, "grpc_code")),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    prefix + "_handling_seconds",
			Help:    "Time from the begin of a call to its end.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, labels),
	}
	c.known.Store(&map[method]*methodMetrics{})
	metrics := []prometheus.Collector{c.started, c.handled, c.took}
	for i, m := range metrics {
		if err := reg.Register(m); err != nil {
			for _, done := range metrics[:i] {
				reg.Unregister(done)
			}
			if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
				return nil, fmt.Errorf("register the metrics of the gRPC %s: %w; build it once, or tell two apart with prometheus.WrapRegistererWith", side, err)
			}
			return nil, fmt.Errorf("register the metrics of the gRPC %s: %w", side, err)
		}
	}
	return c, nil
}

func (c *calls) get(full, kind string) *methodMetrics {
	if m := (*c.known.Load())[method{full, kind}]; m != nil {
		return m
	}
	return c.add(method{full, kind})
}

func (c *calls) add(key method) *methodMetrics {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.known.Load()
	if len(known) >= maxMethods {
		key.full = "/other/other"
	}
	if m := known[key]; m != nil {
		return m
	}
	service, name, _ := strings.Cut(strings.TrimPrefix(key.full, "/"), "/")
	m := &methodMetrics{
		started: c.started.WithLabelValues(key.kind, service, name),
		took:    c.took.WithLabelValues(key.kind, service, name),
	}
	for code := range m.handled {
		m.handled[code] = c.handled.WithLabelValues(key.kind, service, name, codes.Code(code).String())
	}
	grown := maps.Clone(known)
	grown[key] = m
	c.known.Store(&grown)
	return m
}

// end counts a call that has ended. Codes that gRPC does not define are Unknown.
func (m *methodMetrics) end(code codes.Code, took time.Duration) {
	if int(code) >= codeCount {
		code = codes.Unknown
	}
	m.handled[code].Inc()
	m.took.Observe(took.Seconds())
}

// kind names the type of a call.
func kind(clientStreams, serverStreams bool) string {
	switch {
	case clientStreams && serverStreams:
		return "bidi_stream"
	case clientStreams:
		return "client_stream"
	case serverStreams:
		return "server_stream"
	}
	return "unary"
}
