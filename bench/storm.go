package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// measureStorm lets 10,000 alerts, each a group of its own, fire in one scrape,
// and reads what comes of it in a Discord with Discord's limits.
func measureStorm(ctx context.Context, b *bench) ([]result, error) {
	messages := result{what: "storm of 10,000 alerts: messages to Discord", unit: count(), most: 3}
	first := result{what: "… until the first", unit: seconds(), most: 2}
	refused := result{what: "… requests that Discord refused", unit: count(), none: true}
	for _, c := range b.contenders() {
		s, err := b.storm(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		messages.count(c, s.messages)
		refused.count(c, s.refused)
		if s.messages > 0 {
			first.add(c, s.first)
		}
	}
	return []result{messages, first, refused}, nil
}

// A stormSeen is what Discord saw of a storm.
type stormSeen struct {
	messages, refused int
	first             time.Duration
}

func (b *bench) storm(ctx context.Context, c contender) (seen stormSeen, err error) {
	const alerts = 10_000
	g, err := startGauges(alerts)
	if err != nil {
		return seen, err
	}
	defer g.close()
	discord := discordtest.New(discordtest.Options{})
	var ended sync.WaitGroup
	url, server, err := serve(discord, &ended)
	if err != nil {
		return seen, err
	}
	defer ended.Wait()
	defer server.Close()
	t, err := b.startPath(ctx, c, filepath.Join(b.dir, c.name), alertPath{
		evaluation: time.Second,
		scrapes:    g.scrapeJob(time.Second),
		rules:      breachRule,
		notify: fmt.Sprintf(`
route: {receiver: discord, group_by: [alertname, trial], group_wait: 0s, group_interval: 5m, repeat_interval: 4h}
receivers:
- name: discord
  discord_configs: [{webhook_url: %q}]
`, url+discord.Add(discordtest.Webhook{ID: "1", Token: "bench"})),
	})
	if err != nil {
		return seen, err
	}
	defer t.stop()
	const settle = 10 * time.Second // Until both have scraped all series.
	if err := pause(ctx, settle, t.members...); err != nil {
		return seen, err
	}
	all := make([]int, alerts)
	for i := range all {
		all[i] = i
	}
	g.set(1, all...)
	if err := pause(ctx, either(b, 20*time.Second, time.Minute), t.members...); err != nil {
		return seen, err
	}
	scraped := g.servedAt(0)
	for _, r := range discord.Requests() {
		switch {
		case r.Status >= http.StatusMultipleChoices:
			seen.refused++
		case r.Method == http.MethodPost && r.Status != 0:
			if seen.messages++; seen.messages == 1 {
				seen.first = r.At.Sub(scraped)
			}
		}
	}
	return seen, nil
}
