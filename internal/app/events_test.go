package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hook is a webhook receiver that remembers the last state of each alert.
type hook struct {
	url string

	mu   sync.Mutex
	last map[string]string
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{last: map[string]string{}}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []struct {
				Status string
				Labels map[string]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, a := range message.Alerts {
			h.last[a.Labels["alertname"]] = a.Status
		}
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

func (h *hook) state(alert string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[alert]
}

const eventsConfig = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['rules-*.yml']
scrape_configs:
  - job_name: feed
    static_configs: [{targets: ['%s']}]
alertmanager:
  route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}
  receivers:
    - name: hook
      webhook_configs: [{url: '%s'}]
  inhibit_rules:
    - source_matchers: [alertname="DataMissing", missing="everything"]
      target_matchers: [alertname!="DataMissing"]
      equal: [job, instance]
`

// post raises or clears an event.
func (s *server) post(body string) {
	s.t.Helper()
	resp, err := http.Post(s.url+"/api/hw/v1/events", "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("POST %s: %s", body, resp.Status)
	}
}

func TestEventReachesAReceiver(t *testing.T) {
	h := newHook(t)
	s := startServer(t, t.TempDir(), fmt.Sprintf(eventsConfig, "127.0.0.1:1", h.url))
	began := time.Now()
	s.post(`{"state": "raised", "name": "ExchangeBan", "key": "ban"}`)
	answered := time.Since(began)
	eventually(t, 5*time.Second, "the message", func() bool { return h.state("ExchangeBan") == "firing" })
	t.Logf("answered after %v, at the receiver after %v", answered, time.Since(began))
	s.post(`{"state": "cleared", "key": "ban"}`)
	eventually(t, 5*time.Second, "its end", func() bool { return h.state("ExchangeBan") == "resolved" })
}

// TestInhibitionHoldsThroughARestart has a source of inhibition and its target,
// both of before the start: the target must not slip out first.
func TestInhibitionHoldsThroughARestart(t *testing.T) {
	h := newHook(t)
	s := startServer(t, t.TempDir(), fmt.Sprintf(eventsConfig, "127.0.0.1:1", h.url))
	s.post(`{"state": "raised", "name": "DataMissing", "key": "source", "labels": {"missing": "everything", "job": "j", "instance": "i"}}`)
	s.post(`{"state": "raised", "name": "Child", "key": "child", "labels": {"job": "j", "instance": "i"}}`)
	eventually(t, 5*time.Second, "the source", func() bool { return h.state("DataMissing") == "firing" })
	s.stop()
	s = startServer(t, s.dir, fmt.Sprintf(eventsConfig, "127.0.0.1:1", h.url))
	s.post(`{"state": "raised", "name": "Other", "key": "other"}`)
	eventually(t, 5*time.Second, "another event", func() bool { return h.state("Other") == "firing" })
	if got := h.state("Child"); got != "" {
		t.Errorf("the inhibited alert was told as %s", got)
	}
	s.post(`{"state": "cleared", "key": "source"}`)
	eventually(t, 5*time.Second, "the alert that is inhibited no more", func() bool { return h.state("Child") == "firing" })
}

func TestTargetThatDiesIsMissedAndItsAlertHeld(t *testing.T) {
	var queue atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if queue.Load() < 0 {
			http.Error(w, "down", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "queue %d\n", queue.Load())
	}))
	t.Cleanup(target.Close)
	h := newHook(t)
	s := startServer(t, t.TempDir(), fmt.Sprintf(eventsConfig, strings.TrimPrefix(target.URL, "http://"), h.url))
	s.write("rules-1.yml", "groups: [{name: g, rules: [{alert: QueueLong, expr: queue > 5, annotations: {hedgewatch_no_data: fire}}]}]\n")
	if err := s.app.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	queue.Store(10)
	eventually(t, 10*time.Second, "the alert", func() bool { return h.state("QueueLong") == "firing" })
	queue.Store(-1)
	eventually(t, 10*time.Second, "the incident", func() bool { return h.state("DataMissing") == "firing" })
	time.Sleep(2 * time.Second) // Two scrapes and evaluations without data.
	if got := h.state("QueueLong"); got != "firing" {
		t.Errorf("without data the alert is %s", got)
	}
	queue.Store(1)
	eventually(t, 10*time.Second, "the incident's end", func() bool { return h.state("DataMissing") == "resolved" })
	eventually(t, 10*time.Second, "the alert's end", func() bool { return h.state("QueueLong") == "resolved" })
	var events []struct{ Name string }
	s.get("/api/hw/v1/events", &events)
	if len(events) != 1 || events[0].Name != "DataMissing" {
		t.Errorf("events: %v", events)
	}
}
