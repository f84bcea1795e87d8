package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// measureRules has both contenders evaluate 1,000 rules every second.
func measureRules(ctx context.Context, b *bench) ([]result, error) {
	r := result{what: "CPU, 1,000 rules evaluated every second", unit: cores(), most: 0.25}
	const n = 1000
	teams, stop, err := b.startAlertTeams(ctx, 2, n, func(t *alertTeam) alertPath {
		path := everySecond(t)
		path.scrapes = t.gauges.scrapeJob(15 * time.Second)
		path.rules += groups(n/100, 100, "", func(i int) string {
			if i%2 == 0 {
				return fmt.Sprintf(`bench_breach{trial="%d"} > 2`, i)
			}
			return fmt.Sprintf(`avg_over_time(bench_breach{trial="%d"}[1m]) > 2`, i)
		})
		return path
	})
	if err != nil {
		return nil, err
	}
	defer stop()
	return b.watchTeams(ctx, teams, r)
}

// measureCommit has two hedgewatches evaluate the same 100 rules over 100,000
// series: one on commit, and one, by a query offset of 1 ms, on schedule alone.
func measureCommit(ctx context.Context, b *bench) ([]result, error) {
	r := result{what: "CPU, 100,000 series and 100 rules on commit; peer: itself on schedule alone", unit: cores(), mostRatio: 1.1}
	instances, paths := hundredThousand()
	var teams []*alertTeam
	for i, offset := range []string{"", "query_offset: 1ms"} {
		dir := filepath.Join(b.dir, fmt.Sprint(i))
		exporter, addresses, err := startExporter(ctx, dir, instances, paths)
		if err != nil {
			return nil, err
		}
		defer exporter.stop()
		t, err := b.startPath(ctx, b.ours(), dir, alertPath{
			evaluation: 15 * time.Second,
			scrapes:    scrapeJob(addresses),
			notify:     "\nroute: {receiver: none}\nreceivers: [{name: none}]\n",
			rules: "groups:" + groups(10, 10, offset, func(i int) string {
				if i%2 == 0 {
					return fmt.Sprintf(`process_resident_memory_bytes{instance="api-%d"} > 1e12`, i)
				}
				return fmt.Sprintf(`sum by (path) (rate(http_requests_total{code="500", instance="api-%d"}[1m])) > 1e9`, i)
			}),
		})
		if err != nil {
			return nil, err
		}
		defer t.stop()
		teams = append(teams, &alertTeam{team: t})
	}
	const settle = 30 * time.Second
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	for _, t := range teams {
		if err := t.checkLoad(ctx); err != nil {
			return nil, err
		}
	}
	return b.watchTeams(ctx, teams, r)
}

// watchTeams enters the CPU time of the first team as ours, of the second as the
// peer's.
func (b *bench) watchTeams(ctx context.Context, teams []*alertTeam, r result) ([]result, error) {
	var members [][]*child
	for _, t := range teams {
		members = append(members, t.members)
	}
	seen, err := watch(ctx, either(b, 30*time.Second, 3*time.Minute), members...)
	if err != nil {
		return nil, err
	}
	r.ours = sample{seen[0].share()}
	if len(seen) > 1 {
		r.peer = sample{seen[1].share()}
	}
	return []result{r}, nil
}

// groups writes rule groups; rule i has the expression expr(i), and is quiet.
func groups(n, rules int, setting string, expr func(i int) string) string {
	var text strings.Builder
	for g := range n {
		fmt.Fprintf(&text, "\n- name: group-%d\n  %s\n  rules:", g, setting)
		for i := g * rules; i < (g+1)*rules; i++ {
			fmt.Fprintf(&text, "\n  - {alert: Quiet%d, expr: '%s'}", i, expr(i))
		}
	}
	return text.String() + "\n"
}
