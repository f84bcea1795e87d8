package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/store"
)

// Series of cAdvisor, as the kubelet has them.
func TestThrottlingOfAPodIsThatOfItsStoredSeries(t *testing.T) {
	cfg, err := promconfig.Load("", promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.New(store.Config{Dir: t.TempDir(), ReserveBytes: -1}, cfg, store.Deps{Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stored.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	<-stored.Ready()
	now := time.Now()
	app := stored.Appender(ctx)
	for ago := 4 * time.Minute; ago >= 0; ago -= 30 * time.Second {
		at := now.Add(-ago)
		for metric, perSecond := range map[string]float64{"container_cpu_cfs_periods_total": 10, "container_cpu_cfs_throttled_periods_total": 8} {
			series := labels.FromStrings("__name__", metric, "namespace", "prod", "pod", "feed-1", "container", "app", "id", "/kubepods/x")
			if _, err := app.Append(0, series, at.UnixMilli(), 5000+perSecond*float64(at.Unix()%100000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	key := services.Key{ServiceKey: services.ServiceKey{Platform: services.Kubernetes, Namespace: "prod", Service: "feed", Container: "app"}, Instance: "feed-1"}
	ratio, known := storedThrottling(ctx, stored.Engine(), stored, key).Ratio()
	if !known || ratio < 0.79 || ratio > 0.81 {
		t.Errorf("got %v, known %v; want 0.8", ratio, known)
	}
	key.Instance = `feed-2"} or vector(1`
	if got := storedThrottling(ctx, stored.Engine(), stored, key); got != nil {
		t.Errorf("got %+v of a pod without series, want that nobody knows", got)
	}
}
