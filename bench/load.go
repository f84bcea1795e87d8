package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// measureLoad gives both servers the same work at the same time, 100,000 series
// every 15 s, each from an exporter of its own. The window begins when both have
// scraped everything: what a start costs is told apart.
func measureLoad(ctx context.Context, b *bench) ([]result, error) {
	instances, paths := hundredThousand()
	var servers []*server
	for _, c := range b.contenders() {
		dir := filepath.Join(b.dir, c.name)
		exporter, addresses, err := startExporter(ctx, dir, instances, paths)
		if err != nil {
			return nil, err
		}
		defer exporter.stop()
		config := "global: {scrape_interval: 15s}\nscrape_configs:\n" + scrapeJob(addresses)
		if c.ours {
			// Prometheus has no host metrics either; the idle row has them.
			config = "host: {enabled: false}\n" + config
		}
		s, err := c.start(dir, config)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	ours, peer := servers[0], servers[1]
	const settle = 30 * time.Second
	if err := pause(ctx, settle, ours.child, peer.child); err != nil {
		return nil, err
	}
	for _, s := range servers {
		if err := s.checkLoad(ctx); err != nil {
			return nil, err
		}
	}
	start := result{what: "CPU of the first 30 s with them", unit: seconds()}
	cpu := result{what: "CPU, 100,000 series at 15 s", unit: seconds(), mostRatio: 1.1}
	before, err := cpuOf(servers)
	if err != nil {
		return nil, err
	}
	seen, err := watch(ctx, either(b, 15*time.Second, 5*time.Minute), []*child{ours.child}, []*child{peer.child})
	if err != nil {
		return nil, err
	}
	for i, s := range servers {
		start.add(s.by, before[i])
		cpu.add(s.by, seen[i].cpu)
	}
	lastMinute := either(b, 10, 60)
	us, them := seen[0], seen[1]
	return []result{
		cpu,
		{what: "resident memory, 100,000 series at 15 s", unit: megabytes(), ours: us.rss.last(lastMinute), peer: them.rss.last(lastMinute), mostRatio: 1.1},
		{what: "… of it anonymous", unit: megabytes(), ours: us.anon.last(lastMinute), peer: them.anon.last(lastMinute)},
		start,
	}, nil
}

// checkLoad makes sure that a server does the work that it is measured at.
func (s *server) checkLoad(ctx context.Context) error {
	const expr = `sum(scrape_samples_scraped{job="workload"})`
	got, err := s.query(ctx, "/api/v1/query?query="+url.QueryEscape(expr))
	if err != nil {
		return err
	}
	const want = `"100000"]`
	if len(got) != 1 || !bytes.Contains(got[0], []byte(want)) {
		return fmt.Errorf("%s: %s is %s, want 100000: not every target was scraped", s.name, expr, got)
	}
	return nil
}
