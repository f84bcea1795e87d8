package app

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// storedThrottling is how a CPU limit has held a container of a pod back in the
// last minutes, if the kubelets' cAdvisor is scraped. The API server does not
// know, and to ask the kubelets for each probe that fails would take more rights.
func storedThrottling(ctx context.Context, engine promql.QueryEngine, stored storage.Queryable, k services.Key) *services.Throttling {
	if k.Platform != services.Kubernetes {
		return nil
	}
	increase := func(metric string) (float64, bool) {
		expr := fmt.Sprintf("sum(increase(%s{namespace=%q,pod=%q,container=%q}[5m]))", metric, k.Namespace, k.Instance, k.Container)
		query, err := engine.NewInstantQuery(ctx, stored, nil, expr, time.Now())
		if err != nil {
			return 0, false
		}
		defer query.Close()
		vector, err := query.Exec(ctx).Vector()
		if err != nil || len(vector) != 1 || !(vector[0].F >= 0) { // Not below zero, and a number.
			return 0, false
		}
		return vector[0].F, true
	}
	periods, ok1 := increase("container_cpu_cfs_periods_total")
	throttled, ok2 := increase("container_cpu_cfs_throttled_periods_total")
	if !ok1 || !ok2 {
		return nil
	}
	return &services.Throttling{Periods: uint64(periods), Throttled: uint64(throttled)}
}
