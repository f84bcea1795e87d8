package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// An alertPath is the way from samples to people, the same for both contenders.
type alertPath struct {
	// evaluation is the interval of the rules.
	evaluation time.Duration
	// scrapes are entries of scrape_configs; rules is a rule file; notify the
	// configuration of Alertmanager.
	scrapes, rules, notify string
	// own is configuration that the peer has no counterpart of.
	own string
}

// breachRule fires for each trial whose series is above zero.
const breachRule = `
groups:
- name: bench
  rules:
  - alert: Breach
    expr: bench_breach > 0
`

// toWebhook tells a sink of each trial alone, and at once.
func toWebhook(url string, groupInterval time.Duration) string {
	return fmt.Sprintf(`
route: {receiver: sink, group_by: [alertname, trial], group_wait: 0s, group_interval: %s, repeat_interval: 4h}
receivers:
- name: sink
  webhook_configs: [{url: %q, send_resolved: true}]
`, groupInterval, url)
}

// A team is the processes that make up a contender's alert path.
type team struct {
	*server
	// alerts is the base URL of Alertmanager's API.
	alerts  string
	members []*child
}

func (t *team) stop() {
	for _, c := range t.members {
		c.stop()
	}
}

// startPath runs an alert path. The peer is Prometheus with Alertmanager.
func (b *bench) startPath(ctx context.Context, c contender, dir string, p alertPath) (*team, error) {
	rules, err := writeConfig(dir, "rules", p.rules)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("global: {scrape_interval: 15s, evaluation_interval: %s}\nrule_files: [%q]\n", p.evaluation, rules)
	t := &team{}
	if c.ours {
		if !strings.Contains(p.own, "host:\n") {
			config += "host: {enabled: false}\n"
		}
		config += "alertmanager:" + indent(p.notify) + "\n" + p.own
	} else {
		am, url, err := b.startAlertmanager(ctx, dir, p.notify)
		if err != nil {
			return nil, err
		}
		t.members, t.alerts = append(t.members, am), url
		config += fmt.Sprintf("alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}\n", strings.TrimPrefix(url, "http://"))
	}
	s, err := c.startReady(ctx, dir, config+"scrape_configs:\n"+p.scrapes)
	if err != nil {
		t.stop()
		return nil, err
	}
	t.server = s
	t.members = append(t.members, s.child)
	if c.ours {
		t.alerts = s.url
	}
	return t, nil
}

func (b *bench) alertmanagerArgv(config, data, address string) []string {
	return []string{
		b.peer("alertmanager"), "--config.file=" + config, "--storage.path=" + data,
		"--web.listen-address=" + address, "--cluster.listen-address=",
	}
}

// startAlertmanager runs the peer's Alertmanager alone, with its data in dir.
func (b *bench) startAlertmanager(ctx context.Context, dir, config string) (*child, string, error) {
	file, err := writeConfig(dir, "alertmanager", config)
	if err != nil {
		return nil, "", err
	}
	g := &group{dir: dir}
	address, err := g.start(ctx, "alertmanager", "/-/ready", func(address, data string) []string {
		return b.alertmanagerArgv(file, data, address)
	})
	if err != nil {
		g.stop()
		return nil, "", err
	}
	return g.members[0], "http://" + address, nil
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }
