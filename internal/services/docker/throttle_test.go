package docker_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

func TestThrottlingIsTheCauseOfAFailedHealthCheck(t *testing.T) {
	const stats = `{"cpu_stats":{"throttling_data":{"periods":500,"throttled_periods":450,"throttled_time":1}}}`
	var ended atomic.Bool
	told := make(chan struct{})
	sick := strings.Replace(restarting(137), "{", `{"Health":{"Status":"unhealthy","Log":[{"ExitCode":-1,"Output":"Health check exceeded timeout (3s)"}]},`, 1)
	f := fake{
		list: func(w http.ResponseWriter) { io.WriteString(w, `[{"Id":"a"},{"Id":"b"},{"Id":"c"}]`) },
		inspect: func(w http.ResponseWriter, id string) {
			state, host := running(), `"HostConfig":{"NanoCpus":100000000,`
			if id == "a" && ended.Load() {
				state = sick
			}
			if id == "b" {
				host = `"HostConfig":{`
			}
			io.WriteString(w, strings.Replace(described(id, id, state), `"HostConfig":{`, host, 1))
		},
		stats: func(w http.ResponseWriter, id string) {
			switch id {
			case "a":
				io.WriteString(w, stats)
			case "b":
				t.Error("got asked for the statistics of a container without a limit")
			case "c":
				io.WriteString(w, `{"cpu_stats":{"throttling_data":{"periods":-1}}}`)
			}
		},
		events: func(w io.Writer, gone <-chan struct{}) {
			select {
			case <-gone:
				return
			case <-told:
			}
			io.WriteString(w, `{"Type":"container","Action":"update","Actor":{"ID":"a"}}`+"\n")
			w.(http.Flusher).Flush()
		},
	}
	b := watch(t, serve(t, f))
	b.eventually("the share of throttled periods is known", func() bool {
		ratio := b.status("a").CPUThrottled
		return ratio != nil && *ratio == 0.9
	})
	if b.status("b").CPUThrottled != nil || b.status("c").CPUThrottled != nil {
		t.Error("got a share for a container without a limit, or with nonsense for statistics")
	}
	ended.Store(true)
	close(told)
	in := b.until("service/docker//a/", func(services.Incident) bool { return true })
	if in.Annotations["cause"] != "resource" || !strings.Contains(in.Annotations["evidence"], "90 % of the periods") {
		t.Errorf("got %v, want the CPU limit", in.Annotations)
	}
}
