package app_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen collects the topics that the server streams.
func listen(t *testing.T, s *server) (heard func() []string, ended chan struct{}) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/hw/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %s %s", resp.Status, resp.Header)
	}
	var mu sync.Mutex
	var topics []string
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		defer resp.Body.Close()
		changed := false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "event":
				changed = value == "changed"
			case name == "data" && changed:
				var list []string
				if json.Unmarshal([]byte(value), &list) == nil {
					mu.Lock()
					topics = append(topics, list...)
					mu.Unlock()
				}
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(topics)
	}, ended
}

func TestStreamTellsWhatChanges(t *testing.T) {
	s := startServer(t, t.TempDir(), "global: {scrape_interval: 1s}\nalertmanager:\n  route: {receiver: x}\n  receivers: [{name: x}]\n")
	heard, ended := listen(t, s)
	expect := func(what, topic string) {
		t.Helper()
		eventually(t, 20*time.Second, what, func() bool { return slices.Contains(heard(), topic) })
	}
	expect("samples, of ourselves", "samples")
	s.must(http.MethodPost, "/api/v2/alerts", `[{"labels":{"alertname":"Probe"}}]`, nil)
	expect("a new alert", "alerts")
	if slices.Contains(heard(), "silences") {
		t.Errorf("got %v before there was a silence", heard())
	}
	now := time.Now().UTC()
	silence, err := json.Marshal(map[string]any{
		"matchers": []map[string]any{{"name": "alertname", "value": "Probe", "isRegex": false}}, "startsAt": now, "endsAt": now.Add(time.Hour),
		"createdBy": "test", "comment": "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.must(http.MethodPost, "/api/v2/silences", string(silence), nil)
	expect("a new silence", "silences")
	s.must(http.MethodPost, "/-/reload", "", nil)
	expect("a reload", "configuration")
	s.stop()
	<-ended
}
