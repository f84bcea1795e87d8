package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// A query is one that a dashboard or a rule would ask.
type query struct {
	what, expr string
	// span is 0 for an instant query.
	span, step time.Duration
}

func queries() []query {
	const hour, day = time.Hour, 24 * time.Hour
	return []query{
		{"rate by code", `sum by (code) (rate(http_requests_total[5m]))`, 0, 0},
		{"p99 by path", `histogram_quantile(0.99, sum by (path, le) (rate(http_request_duration_seconds_bucket[5m])))`, 0, 0},
		{"topk 10", `topk(10, rate(http_requests_total[5m]))`, 0, 0},
		{"error ratio", `sum by (instance) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (instance) (rate(http_requests_total[5m]))`, 0, 0},
		{"rate by code", `sum by (code) (rate(http_requests_total[5m]))`, hour, 15 * time.Second},
		{"p99", `histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))`, hour, 15 * time.Second},
		{"memory by instance", `max by (instance) (process_resident_memory_bytes)`, hour, 15 * time.Second},
		{"rate by code", `sum by (code) (rate(http_requests_total[5m]))`, day, 5 * time.Minute},
		{"topk 5 instances", `topk(5, sum by (instance) (rate(http_request_duration_seconds_count[5m])))`, day, 5 * time.Minute},
		{"peaks of one instance", `max_over_time(process_open_fds{instance="api-1"}[10m])`, day, time.Minute},
	}
}

func (q query) String() string {
	if q.span == 0 {
		return "query: " + q.what + ", instant"
	}
	return fmt.Sprintf("query: %s, %gh", q.what, q.span.Hours())
}

// path is the request for the time up to end.
func (q query) path(end time.Time) string {
	unix := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	if q.span == 0 {
		return "/api/v1/query?" + url.Values{"query": {q.expr}, "time": {unix(end)}}.Encode()
	}
	return "/api/v1/query_range?" + url.Values{
		"query": {q.expr}, "start": {unix(end.Add(-q.span))}, "end": {unix(end)},
		"step": {strconv.FormatFloat(q.step.Seconds(), 'g', -1, 64)},
	}.Encode()
}

// measureQueries asks both servers in turn, over copies of the same day, after
// it has seen that they agree.
func measureQueries(ctx context.Context, b *bench) ([]result, error) {
	instances, paths := either(b, 10, 30), 5
	b.say("  writing 24 hours of %d series", len(newInstances(1, paths)[0].series)*instances)
	end := time.Now().Truncate(scrapeStep)
	data := filepath.Join(b.dir, "data")
	past := history{instances: instances, paths: paths, from: end.Add(-25 * time.Hour), until: end}
	if err := past.write(ctx, data); err != nil {
		return nil, err
	}
	var servers []*server
	for _, c := range b.contenders() {
		dir := filepath.Join(b.dir, c.name)
		if err := os.CopyFS(c.tsdbDir(dir), os.DirFS(data)); err != nil {
			return nil, err
		}
		s, err := c.startReady(ctx, dir, "scrape_configs:\n")
		if err != nil {
			return nil, err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	// The newest sample is one step old.
	end = end.Add(-scrapeStep)
	if err := agree(ctx, servers[0], servers[1], end); err != nil {
		return nil, err
	}
	return ask(ctx, servers, either(b, 7, 61), end)
}

// agree asks every query once, which also warms the caches, and compares.
func agree(ctx context.Context, ours, peer *server, end time.Time) error {
	for _, q := range queries() {
		got, err := ours.query(ctx, q.path(end))
		if err != nil {
			return err
		}
		want, err := peer.query(ctx, q.path(end))
		if err != nil {
			return err
		}
		if len(want) == 0 {
			return fmt.Errorf("%s has no answer to %s; the data is wrong", peer.name, q)
		}
		if !slices.EqualFunc(got, want, slices.Equal[json.RawMessage]) {
			return fmt.Errorf("%s and %s do not agree on %s: got %.300s, want %.300s", ours.name, peer.name, q, got, want)
		}
	}
	return nil
}

// ask times every query, and the rounds of all of them.
func ask(ctx context.Context, servers []*server, rounds int, end time.Time) ([]result, error) {
	results := []result{}
	for _, q := range queries() {
		results = append(results, result{what: q.String(), unit: milliseconds(), mostRatio: 1.1})
	}
	all := result{what: "all ten queries", unit: milliseconds(), mostRatio: 1.1}
	cpu := result{what: "… CPU of the servers for them", unit: milliseconds()}
	before, err := cpuOf(servers)
	if err != nil {
		return nil, err
	}
	for round := range rounds {
		total := map[*server]time.Duration{}
		for i, q := range queries() {
			for _, s := range inTurn(round+i, servers) {
				started := time.Now()
				if err := get(ctx, s.url+q.path(end), io.Discard); err != nil {
					return nil, err
				}
				took := time.Since(started)
				results[i].add(s.by, took)
				total[s] += took
			}
		}
		for s, took := range total {
			all.add(s.by, took)
		}
	}
	after, err := cpuOf(servers)
	if err != nil {
		return nil, err
	}
	for i, s := range servers {
		cpu.add(s.by, (after[i]-before[i])/time.Duration(rounds))
	}
	return append(results, all, cpu), nil
}

func cpuOf(servers []*server) (used []time.Duration, err error) {
	for _, s := range servers {
		u, err := s.usage()
		if err != nil {
			return nil, err
		}
		used = append(used, u.cpu)
	}
	return used, nil
}

// query returns the series of an answer in one order.
func (s *server) query(ctx context.Context, path string) ([]json.RawMessage, error) {
	var body bytes.Buffer
	if err := get(ctx, s.url+path, &body); err != nil {
		return nil, err
	}
	return seriesOf(body.Bytes())
}

func seriesOf(body []byte) ([]json.RawMessage, error) {
	var answer struct {
		Data struct {
			Result []json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("answer of a query: %w", err)
	}
	slices.SortFunc(answer.Data.Result, slices.Compare[json.RawMessage])
	return answer.Data.Result, nil
}
