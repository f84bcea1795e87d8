package services_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// BenchmarkManyServicesFailAtOnce is 4,000 services that crash at once, until all
// of them are incidents.
func BenchmarkManyServicesFailAtOnce(b *testing.B) {
	const many = 4000
	for b.Loop() {
		var told sync.WaitGroup
		told.Add(many)
		s, err := services.New(services.DefaultConfig(), services.Deps{
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Raise:  func(context.Context, services.Incident) error { told.Done(); return nil },
			Clear:  func(context.Context, string) error { return nil },
			Active: func(context.Context) ([]string, error) { return nil, nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		feed := s.Feed(services.Kubernetes, func(context.Context, services.Key) ([]byte, error) {
			return []byte("dial tcp 10.0.0.5:5432: connect: connection refused\n"), nil
		})
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		pods, present := make([]services.Observation, many), map[services.Key]bool{}
		for i := range pods {
			name := fmt.Sprintf("service-%d", i)
			pods[i] = services.Observation{
				Key:       services.Key{ServiceKey: services.ServiceKey{Namespace: "prod", Service: name, Container: "app"}, Instance: name + "-1"},
				Condition: services.Running,
			}
			feed.Observe(pods[i])
			key := pods[i].Key
			key.Platform = services.Kubernetes
			present[key] = true
		}
		feed.Sees(present)
		for _, p := range pods {
			p.Condition, p.Restarts, p.Exit = services.BackingOff, 1, &services.Exit{Code: 1, At: time.Now()}
			feed.Observe(p)
		}
		told.Wait()
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// A log that tells nothing is read by all rules.
func BenchmarkDiagnose(b *testing.B) {
	log := []byte(strings.Repeat("2026-11-30T12:00:00.123Z INFO  stored 1000 rows of BTCUSDT in 12 ms, 3 of 200 symbols are left to do\n", 400))
	for b.Loop() {
		services.Diagnose(services.Observation{Exit: &services.Exit{Code: 1}}, log)
	}
}
