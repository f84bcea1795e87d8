package app_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A container that crashes is an alert with its cause, and its series keep the
// instance of the container.
func TestContainerThatCrashesIsAnAlert(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	died := time.Now().UTC().Format(time.RFC3339Nano)
	docker := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/events"):
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case strings.HasSuffix(path, "/containers/json"):
			fmt.Fprint(w, `[{"Id":"c0ffee"}]`)
		case strings.HasSuffix(path, "/logs"):
			fmt.Fprint(w, "yaml: line 3: did not find expected key\n")
		case strings.HasSuffix(path, "/c0ffee/json"):
			fmt.Fprintf(w, `{"Id":"c0ffee","Name":"/feed-1","RestartCount":3,"Config":{"Image":"feed:1","Tty":true,
				"Labels":{"com.docker.compose.service":"feed","com.docker.compose.project":"md","hedgewatch.io/critical":"true"}},
				"HostConfig":{"RestartPolicy":{"Name":"always"}},
				"State":{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":1,"StartedAt":%[1]q,"FinishedAt":%[1]q}}`, died)
		default:
			w.WriteHeader(http.StatusOK)
		}
	})}
	go docker.Serve(listener)
	defer docker.Close()

	s := startServer(t, t.TempDir(), "global: {scrape_interval: 1s}\nservices:\n  docker: {address: 'unix://"+socket+"'}\n"+
		"alertmanager:\n  route: {receiver: x}\n  receivers: [{name: x}]\n")
	var alerts []struct{ Labels, Annotations map[string]string }
	eventually(t, 10*time.Second, "the alert", func() bool {
		s.get("/api/v2/alerts", &alerts)
		return len(alerts) == 1
	})
	text, _ := json.Marshal(alerts)
	if a := alerts[0]; a.Labels["alertname"] != "ServiceFailing" || a.Labels["service"] != "feed" || a.Labels["severity"] != "critical" ||
		a.Annotations["cause"] != "configuration" || !strings.Contains(a.Annotations["evidence"], "expected key") {
		t.Errorf("got %s", text)
	}
	var overview struct {
		Services []struct{ State, Instance string }
	}
	s.get("/api/hw/v1/services", &overview)
	if len(overview.Services) != 1 || overview.Services[0].State != "backing_off" || overview.Services[0].Instance != "feed-1" {
		t.Errorf("got %+v, want the container backing off", overview)
	}
	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	eventually(t, 10*time.Second, "the series", func() bool {
		s.get("/api/v1/query?query=hedgewatch_service_backoff", &answer)
		return len(answer.Data.Result) == 1
	})
	if m := answer.Data.Result[0].Metric; m["instance"] != "feed-1" || m["exported_instance"] != "" || m["job"] != "services" {
		t.Errorf("got %v, want the container's own instance", m)
	}
}

// Processes that nobody starts again are seen to end: the groups of the host's
// collector are services.
func TestProcessGroupThatLosesItsProcessesIsAnAlert(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("missing: sleep (package coreutils)")
	}
	const mark = "86396.125" // No other sleep has it.
	start := func() *exec.Cmd {
		cmd := exec.Command(sleep, mark)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	end := func(cmd *exec.Cmd) {
		_ = cmd.Process.Kill() // It may have ended.
		_ = cmd.Wait()
	}
	first := start()
	defer end(first)
	s := startServer(t, t.TempDir(), "global: {scrape_interval: 1s}\nhost: {processes: [{name: order-feed, cmdline: ['sleep "+mark+"$']}]}\n"+
		"services: {critical: ['order-*'], processes: {}}\nalertmanager:\n  route: {receiver: x}\n  receivers: [{name: x}]\n")
	var overview struct {
		Watchers []struct {
			Platform, Error string
			Sees            bool
		}
		Services []struct{ State, Service string }
	}
	eventually(t, 20*time.Second, "the group to run", func() bool {
		s.get("/api/hw/v1/services", &overview)
		if len(overview.Watchers) == 1 && strings.Contains(overview.Watchers[0].Error, "out of sight") {
			t.Skip("missing: sight of all processes")
		}
		return len(overview.Services) == 1 && overview.Services[0].State == "running"
	})
	end(first)
	var alerts []struct{ Labels, Annotations map[string]string }
	eventually(t, 20*time.Second, "the alert", func() bool {
		s.get("/api/v2/alerts", &alerts)
		return len(alerts) == 1
	})
	if a := alerts[0]; a.Labels["alertname"] != "ServiceFailing" || a.Labels["platform"] != "process" || a.Labels["service"] != "order-feed" || a.Labels["severity"] != "critical" {
		t.Errorf("got %v, want the group that has lost its process", a)
	}
	second := start()
	defer end(second)
	eventually(t, 20*time.Second, "the group to be back", func() bool {
		s.get("/api/hw/v1/services", &overview)
		return overview.Services[0].State == "recovering"
	})
}
