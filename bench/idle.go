package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// measureIdle lets hedgewatch with its built-in configuration, and the three
// programs that do the same, watch this host at the same time.
func measureIdle(ctx context.Context, b *bench) ([]result, error) {
	ours, err := b.ours().startReady(ctx, filepath.Join(b.dir, "hedgewatch"), "")
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	peers := &group{dir: filepath.Join(b.dir, "peers")}
	defer peers.stop()
	if err := b.startPeers(ctx, peers); errors.Is(err, os.ErrNotExist) {
		b.say("  measured alone, run `make peers`: %v", err)
		peers.stop()
	} else if err != nil {
		return nil, err
	}

	settle, window := either(b, 12*time.Second, 50*time.Second), either(b, 6*time.Second, 30*time.Second)
	if err := pause(ctx, settle, append(peers.members, ours.child)...); err != nil {
		return nil, err
	}
	seen, err := watch(ctx, window, []*child{ours.child}, peers.members)
	if err != nil {
		return nil, err
	}
	us, them := seen[0], seen[1]
	return []result{
		{what: "resident memory, idle with host metrics", unit: megabytes(), ours: us.rss, peer: them.rss, most: 120e6},
		{what: "… of it anonymous", unit: megabytes(), ours: us.anon, peer: them.anon},
		{what: "CPU per minute, idle with host metrics", unit: seconds(), ours: us.cpuPerMinute(), peer: them.cpuPerMinute()},
	}, nil
}

// startPeers starts node_exporter, Alertmanager, and a Prometheus that scrapes
// what hedgewatch scrapes by itself, as often and with the same rules.
func (b *bench) startPeers(ctx context.Context, peers *group) error {
	node, err := peers.start(ctx, "node_exporter", "/", func(address, _ string) []string {
		return []string{b.peer("node_exporter"), "--web.listen-address=" + address}
	})
	if err != nil {
		return err
	}
	routes, err := writeConfig(peers.dir, "alertmanager", "route: {receiver: default}\nreceivers: [{name: default}]\n")
	if err != nil {
		return err
	}
	alerts, err := peers.start(ctx, "alertmanager", "/-/ready", func(address, data string) []string {
		return b.alertmanagerArgv(routes, data, address)
	})
	if err != nil {
		return err
	}
	_, err = peers.start(ctx, "prometheus", "/-/ready", func(address, data string) []string {
		text := fmt.Sprintf(`
global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
- job_name: host
  scrape_interval: 5s
  static_configs: [{targets: [%q]}]
`, filepath.Join(b.rules, "*.yml"), alerts, node) + b.prometheus().selfScrape(address)
		file, _ := writeConfig(peers.dir, "prometheus", text) // A missing file ends Prometheus.
		return b.prometheus().argv(file, data, address)
	})
	return err
}

// A group is processes that count as one.
type group struct {
	dir     string
	members []*child
}

// start adds a process and returns its address when it answers at the path ready.
func (g *group) start(ctx context.Context, name, ready string, argv func(address, data string) []string) (string, error) {
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	c, err := startChild(name, g.dir, argv(address, filepath.Join(g.dir, name)))
	if err != nil {
		return "", err
	}
	g.members = append(g.members, c)
	_, err = c.awaitOK(ctx, "http://"+address+ready)
	return address, err
}

func (g *group) stop() {
	for _, c := range g.members {
		c.stop()
	}
	g.members = nil
}
