package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// measureServices times the way from the end of a service to the POST on each
// platform, and what a large cluster costs. The peers watch no services.
func measureServices(ctx context.Context, b *bench) ([]result, error) {
	var results []result
	for _, p := range []struct {
		name, what string
		start      func(context.Context, *bench, int) (*platform, error)
	}{
		{"docker", "container of Docker killed → POST", containers(startDocker)},
		{"podman", "container of Podman killed → POST", containers(startPodman)},
		{"systemd", "unit of systemd killed → POST", units},
		{"process", "only process of a group killed → POST", processGroups},
	} {
		r := result{what: p.what, unit: seconds(), most: 2, tail: true}
		err := b.endServices(ctx, p.name, p.start, &r)
		if errors.Is(err, errMissing) {
			b.say("  without %q: %v", p.what, err)
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.what, err)
		}
		results = append(results, r)
	}
	pods, err := b.watchCluster(ctx)
	return append(results, pods...), err
}

// endServices ends what runs on a platform, one service after the other. Its name
// is that of hedgewatch's directory: in another's it would find incidents.
func (b *bench) endServices(ctx context.Context, name string, start func(context.Context, *bench, int) (*platform, error), r *result) (err error) {
	p, err := start(ctx, b, either(b, 5, 20))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	t, err := b.serviceTeam(ctx, name, p.config)
	if err != nil {
		return err
	}
	defer t.stop()
	if err := t.awaitRunning(ctx, len(p.services)); err != nil {
		return err
	}
	return t.endEach(ctx, p.services, func(i int) error { return p.end(ctx, i) }, r)
}

// serviceTeam is hedgewatch, which watches services, before a sink that tells
// alerts apart by the service.
func (b *bench) serviceTeam(ctx context.Context, name, services string) (*alertTeam, error) {
	t := &alertTeam{}
	var err error
	if t.sink, err = startSink("service"); err != nil {
		return nil, err
	}
	t.team, err = b.startPath(ctx, b.ours(), filepath.Join(b.dir, name), alertPath{
		evaluation: 15 * time.Second,
		own:        services,
		notify: fmt.Sprintf(`
route: {receiver: sink, group_by: [alertname, service], group_wait: 0s, group_interval: 1s, repeat_interval: 4h}
receivers:
- name: sink
  webhook_configs: [{url: %q}]
`, t.sink.url),
	})
	if err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// awaitRunning returns when hedgewatch knows of n instances that run.
func (t *alertTeam) awaitRunning(ctx context.Context, n int) error {
	const patience, every = time.Minute, 500 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		var text bytes.Buffer
		if err := get(ctx, t.url+"/api/hw/v1/services", &text); err != nil {
			return err
		}
		var seen struct {
			Watchers json.RawMessage `json:"watchers"`
			Services []struct {
				State string `json:"state"`
			} `json:"services"`
		}
		if err := json.Unmarshal(text.Bytes(), &seen); err != nil {
			return fmt.Errorf("services of %s: %w", t.name, err)
		}
		states := map[string]int{}
		for _, s := range seen.Services {
			states[s.State]++
		}
		if states["running"] >= n {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s knows of services in states %v after %s, want %d running; watchers: %s", t.name, states, patience, n, seen.Watchers)
		}
		if err := pause(ctx, every, t.members...); err != nil {
			return err
		}
	}
}

// endEach ends one service after the other, far enough apart to be no storm.
func (t *alertTeam) endEach(ctx context.Context, services []string, end func(i int) error, r *result) error {
	const patience = time.Minute
	for i, service := range services {
		if err := pause(ctx, time.Second+rand.N(time.Second), t.members...); err != nil {
			return err
		}
		began := time.Now()
		if err := end(i); err != nil {
			return err
		}
		told, err := t.sink.await(ctx, news{"firing", service}, patience)
		if err != nil {
			return err
		}
		r.add(t.by, told.Sub(began))
	}
	return nil
}

// watchCluster has one hedgewatch watch 5,000 pods beside one that watches none.
func (b *bench) watchCluster(ctx context.Context) ([]result, error) {
	const pods = 5000
	crash := result{what: "pod's status of a crash → POST, among 5,000 pods", unit: seconds(), most: 2, tail: true}
	memory := result{what: "memory that 5,000 pods add", unit: megabytes(), most: 150e6}
	cpu := result{what: "… CPU, ten of them crashing every second", unit: cores(), most: 0.05}
	c, err := startCluster(pods)
	if err != nil {
		return nil, err
	}
	defer c.close()
	kubeconfig := filepath.Join(b.dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(c.kubeconfig()), 0o600); err != nil {
		return nil, err
	}
	var teams []*alertTeam
	for _, of := range []struct{ name, services string }{
		{"cluster", fmt.Sprintf("services: {kubernetes: {kubeconfig: %q}}\n", kubeconfig)},
		{"none", ""},
	} {
		t, err := b.serviceTeam(ctx, of.name, of.services)
		if err != nil {
			return nil, err
		}
		defer t.stop()
		teams = append(teams, t)
	}
	watching := teams[0]
	if err := watching.awaitRunning(ctx, pods); err != nil {
		return nil, err
	}
	quiet, err := watch(ctx, either(b, 10*time.Second, 2*time.Minute), watching.members, teams[1].members)
	if err != nil {
		return nil, err
	}
	last := either(b, 5, 30)
	memory.ours = sample{quiet[0].rss.last(last).median() - quiet[1].rss.last(last).median()}

	trials := either(b, 5, 20)
	services := make([]string, trials)
	for i := range services {
		services[i] = podService(i * podsOfService)
	}
	if err := watching.endEach(ctx, services, func(i int) error { c.crash(i * podsOfService); return nil }, &crash); err != nil {
		return nil, err
	}

	churn, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.churn(churn, trials*podsOfService)
	}()
	defer func() { stop(); <-ended }()
	busy, err := watch(ctx, either(b, 15*time.Second, 2*time.Minute), watching.members, teams[1].members)
	if err != nil {
		return nil, err
	}
	cpu.ours = sample{max(0, busy[0].share()-busy[1].share())}
	return []result{crash, memory, cpu}, nil
}

// churn has ten pods crash every second, each one once, from one on.
func (c *cluster) churn(ctx context.Context, from int) {
	const every = time.Second / 10
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for i := from; i < len(c.restarts); i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.crash(i)
		}
	}
}
