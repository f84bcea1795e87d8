package services_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

func TestEndsAreKeptForADayWithTheirCauses(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		st.log = "dial tcp 10.0.0.3:5432: connect: connection refused"
		p.crash(services.Exit{Code: 1})
		p.start()
		time.Sleep(2 * time.Hour) // Too long ago for a loop, not for a timeline.
		st.log = ""
		p.crash(services.Exit{Code: 137, OOM: true})
		p.start()
		time.Sleep(2 * time.Minute)
		p.crash(services.Exit{Unseen: true})
		time.Sleep(time.Second)
		var got []services.End
		for _, e := range st.Overview().Services[0].History {
			e.At = time.Time{}
			got = append(got, e)
		}
		want := []services.End{
			{Code: 1, Cause: services.Dependency},
			{Code: 137, Signal: 9, Cause: services.Resource},
			{Unseen: true, Cause: services.Unknown},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		p.start()
		time.Sleep(25 * time.Hour)
		p.crash(services.Exit{Code: 3})
		if got := st.Overview().Services[0].History; len(got) != 1 || got[0].Code != 3 {
			t.Errorf("got %+v, want the end of today alone", got)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		for i := range 100 {
			p.crash(services.Exit{Code: i})
			p.start()
		}
		got := st.Overview().Services[0].History
		if len(got) != 32 || got[31].Code != 99 {
			t.Errorf("got %d ends, the last %+v; want the newest 32", len(got), got[len(got)-1])
		}
	})
}

func TestThrottlingExplainsAFailedProbe(t *testing.T) {
	half := &services.Throttling{Periods: 1000, Throttled: 600}
	killed := &services.Exit{Code: 137, Reason: "Error"}
	cases := map[string]struct {
		o    services.Observation
		log  string
		want services.Cause
	}{
		"probe":                 {services.Observation{CPU: half, Exit: killed, Probe: "Liveness probe failed"}, "", services.Resource},
		"watchdog":              {services.Observation{CPU: half, Exit: &services.Exit{Signal: 6, Reason: "watchdog"}}, "", services.Resource},
		"start too slow":        {services.Observation{CPU: half, Exit: &services.Exit{Signal: 15, Reason: "timeout"}}, "", services.Resource},
		"little throttling":     {services.Observation{CPU: &services.Throttling{Periods: 1000, Throttled: 300}, Exit: killed, Probe: "Liveness probe failed"}, "", services.Probe},
		"too short to tell":     {services.Observation{CPU: &services.Throttling{Periods: 20, Throttled: 20}, Exit: killed, Probe: "Liveness probe failed"}, "", services.Probe},
		"not known":             {services.Observation{Exit: killed, Probe: "Liveness probe failed"}, "", services.Probe},
		"no cause by itself":    {services.Observation{CPU: half, Exit: &services.Exit{Code: 3}}, "", services.Unknown},
		"the log says better":   {services.Observation{CPU: half, Exit: killed, Probe: "Liveness probe failed"}, "panic: runtime error: index out of range", services.Crash},
		"memory is memory":      {services.Observation{CPU: half, Exit: &services.Exit{Code: 137, OOM: true}}, "", services.Resource},
		"more than is possible": {services.Observation{CPU: &services.Throttling{Periods: 100, Throttled: 1 << 62}, Exit: killed, Probe: "x"}, "", services.Resource},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if d := services.Diagnose(c.o, []byte(c.log)); d.Cause != c.want {
				t.Errorf("got %+v, want %s", d, c.want)
			}
		})
	}
	d := services.Diagnose(services.Observation{CPU: half, Exit: killed, Probe: "Liveness probe failed"}, nil)
	want := services.Diagnosis{Cause: services.Resource, Finding: "its CPU limit held it back until its probe failed", Evidence: []string{
		"Liveness probe failed", "its CPU limit held it back in 60 % of the periods in which it wanted to run",
	}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThrottlingIsExportedWhereItIsKnown(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		if got := testutil.CollectAndCount(st.Collector(), "hedgewatch_service_cpu_throttled_ratio"); got != 0 || st.Overview().Services[0].CPUThrottled != nil {
			t.Errorf("got %d series, want none while nothing is known", got)
		}
		p.CPU = &services.Throttling{Periods: 200, Throttled: 50}
		st.feed.Observe(p.Observation)
		if got := st.Overview().Services[0].CPUThrottled; got == nil || *got != 0.25 {
			t.Errorf("got %v, want 0.25", got)
		}
		if got := testutil.CollectAndCount(st.Collector(), "hedgewatch_service_cpu_throttled_ratio"); got != 1 {
			t.Errorf("got %d series, want 1", got)
		}
	})
}
