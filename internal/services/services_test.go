package services_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// stage is a set of Services in a bubble, with what it has told.
type stage struct {
	t *testing.T
	*services.Services
	feed *services.Feed
	log  string
	fail bool
	cpu  *services.Throttling // What somebody else knows of all instances.

	mu     sync.Mutex
	told   []string
	active map[string]services.Incident
}

func newStage(t *testing.T, active ...string) *stage {
	t.Helper()
	st := &stage{t: t, active: map[string]services.Incident{}}
	cfg := services.DefaultConfig()
	cfg.Critical = []string{"order-*"}
	var err error
	st.Services, err = services.New(cfg, services.Deps{
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Raise: func(_ context.Context, in services.Incident) error {
			return st.tell("raise", in.Key, in)
		},
		Clear:  func(_ context.Context, key string) error { return st.tell("clear", key, services.Incident{}) },
		Active: func(context.Context) ([]string, error) { return active, nil },

		Throttling: func(context.Context, services.Key) *services.Throttling { return st.cpu },
	})
	if err != nil {
		t.Fatal(err)
	}
	st.feed = st.Feed(services.Kubernetes, func(context.Context, services.Key) ([]byte, error) { return []byte(st.log), nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	st.feed.Sees(nil)
	return st
}

func (st *stage) refuse(all bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.fail = all
}

func (st *stage) tell(what, key string, in services.Incident) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.fail {
		return errors.New("the disk is full")
	}
	st.told = append(st.told, what+" "+strings.TrimPrefix(key, "service/kubernetes/"))
	if what == "raise" {
		st.active[key] = in
	} else {
		delete(st.active, key)
	}
	return nil
}

// expect compares what was told since the last call.
func (st *stage) expect(what string, want ...string) {
	st.t.Helper()
	synctest.Wait()
	st.mu.Lock()
	defer st.mu.Unlock()
	got := st.told
	st.told = nil
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		st.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// pod is a container that a test moves through its life.
type pod struct {
	st *stage
	services.Observation
}

func (st *stage) pod(service string) *pod {
	p := &pod{st, services.Observation{
		Key: services.Key{
			ServiceKey: services.ServiceKey{Namespace: "prod", Service: service, Container: "app"},
			Instance:   service + "-1",
		},
		Condition: services.Running, Since: time.Now(), Image: "app:1",
	}}
	st.feed.Observe(p.Observation)
	return p
}

func (p *pod) crash(exit services.Exit) {
	time.Sleep(time.Second)
	exit.At = time.Now()
	p.Condition, p.Exit = services.Restarting, &exit
	p.st.feed.Observe(p.Observation)
}

func (p *pod) start() {
	p.Condition, p.Since, p.Reason = services.Running, time.Now(), ""
	p.Restarts++
	p.st.feed.Observe(p.Observation)
}

func (p *pod) backoff() {
	p.Condition, p.Reason, p.NextRestart = services.BackingOff, "CrashLoopBackOff", time.Now().Add(10*time.Second)
	p.st.feed.Observe(p.Observation)
}

func in(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestLoopIsOneIncidentUntilItRunsSteadily(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		p.crash(services.Exit{Code: 1})
		st.expect("one crash of a service that is not critical")
		p.start()
		time.Sleep(time.Minute)
		p.crash(services.Exit{Code: 1})
		st.expect("two in ten minutes", "raise prod/feed/app")
		for range 5 {
			p.backoff()
			time.Sleep(10 * time.Second)
			p.start()
			time.Sleep(time.Second)
			p.crash(services.Exit{Code: 1})
		}
		st.expect("five more of the same")
		p.start()
		time.Sleep(9 * time.Minute)
		st.expect("not steady yet")
		time.Sleep(2 * time.Minute)
		st.expect("steady", "clear prod/feed/app")
		if s := st.Overview().Services[0]; s.State != services.StateRunning || s.Failing {
			t.Errorf("got %+v, want it running", s)
		}
	})
}

// A platform may say why a service is gone without ever having seen it end.
func TestServiceThatWasGivenUpSaysWhy(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		p.Condition, p.Reason = services.GaveUp, "nobody can write to it"
		st.feed.Observe(p.Observation)
		st.expect("given up", "raise prod/feed/app")
		got := st.active["service/kubernetes/prod/feed/app"].Annotations
		if !strings.Contains(got["summary"], p.Reason) || got["cause"] != string(services.Unknown) {
			t.Errorf("got %q, cause %q; want the reason, cause unknown", got["summary"], got["cause"])
		}
	})
}

func TestSlowLoopIsALoop(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		for range 2 {
			p.crash(services.Exit{Code: 1})
			p.start()
			time.Sleep(11 * time.Minute)
		}
		st.expect("twice")
		p.crash(services.Exit{Code: 1})
		st.expect("the third within an hour", "raise prod/feed/app")
		p.start()
		time.Sleep(11 * time.Minute)
		st.expect("running as long as it always did")
		time.Sleep(12 * time.Minute)
		st.expect("running twice as long", "clear prod/feed/app")
	})
}

func TestCriticalServiceIsAnIncidentAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("order-router")
		st.log = "panic: runtime error: index out of range [3] with length 3\n"
		p.crash(services.Exit{Code: 2, Reason: "Error"})
		st.expect("first crash", "raise prod/order-router/app")
		inc := st.active["service/kubernetes/prod/order-router/app"]
		if !inc.Critical || inc.Annotations["cause"] != "crash" || inc.Annotations["evidence"] != "panic: runtime error: index out of range [3] with length 3" {
			t.Errorf("got %+v, want a critical crash with its line", inc)
		}
		p.Image = "app:2"
		p.crash(services.Exit{Code: 137, OOM: true})
		st.expect("another cause, another image", "raise prod/order-router/app")
		inc = st.active["service/kubernetes/prod/order-router/app"]
		if inc.Annotations["cause"] != "resource" || !strings.Contains(inc.Annotations["last_change"], "from app:1 to app:2") {
			t.Errorf("got %+v, want the limit and the new image", inc)
		}
	})
}

func TestImagePullIsNoCrash(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		p.Condition, p.Reason, p.Message = services.Blocked, "ImagePullBackOff", `Back-off pulling image "feed:2"`
		st.feed.Observe(p.Observation)
		st.expect("blocked", "raise prod/feed/app")
		s := st.Overview().Services[0]
		if s.Diagnosis.Cause != services.Image || s.State != services.StateBlocked || len(s.Ends) != 0 {
			t.Errorf("got %+v, want an image that cannot be pulled and no end", s)
		}
		p.Condition, p.Reason, p.Since = services.Running, "", time.Now()
		st.feed.Observe(p.Observation)
		time.Sleep(11 * time.Minute)
		st.expect("it runs", "clear prod/feed/app")
	})
}

func TestDependentsHangBelowTheFirstThatFailed(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		db, feed, api := st.pod("orders-db"), st.pod("feed"), st.pod("api")
		api.DependsOn = []string{"feed"}
		st.log = "FATAL: data directory has wrong ownership"
		db.crash(services.Exit{Code: 1})
		db.backoff()
		st.expect("the database", "raise prod/orders-db/app")
		st.log = "dial tcp: lookup orders-db.prod.svc: connection refused"
		for _, p := range []*pod{feed, api} {
			time.Sleep(5 * time.Second)
			p.crash(services.Exit{Code: 1})
			p.backoff()
		}
		st.expect("those that need it", "raise prod/orders-db/app", "raise prod/orders-db/app")
		if got, want := st.active["service/kubernetes/prod/orders-db/app"].Annotations["also_failing"], "prod/api (app), prod/feed (app)"; got != want {
			t.Errorf("got %q below it, want %q", got, want)
		}
		db.start()
		time.Sleep(time.Minute)
		feed.start()
		api.start()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		// Those below may be over a tick before the one above, which then says so.
		own := slices.DeleteFunc(st.told, func(what string) bool { return strings.HasSuffix(what, " prod/orders-db/app") })
		if len(own) > 0 || len(st.active) > 0 {
			t.Errorf("got %v of those below, %v still active; want nothing", own, st.active)
		}
	})
}

func TestDependentThatFailsOnIsAnIncidentOfItsOwn(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		db, feed := st.pod("orders-db"), st.pod("feed")
		st.log = "connect to orders-db: connection refused"
		feed.crash(services.Exit{Code: 1})
		feed.backoff()
		st.expect("the one that is seen first", "raise prod/feed/app")
		time.Sleep(10 * time.Second)
		db.crash(services.Exit{Code: 137, OOM: true})
		db.backoff()
		time.Sleep(2 * time.Second)
		st.expect("its reason", "clear prod/feed/app", "raise prod/orders-db/app", "raise prod/orders-db/app")
		st.feed.Gone(db.Key)
		time.Sleep(2 * time.Second)
		st.expect("the reason is gone, the trouble is not", "clear prod/orders-db/app", "raise prod/feed/app")
	})
}

func TestStoredThrottlingExplainsAFailedProbe(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		st.cpu = &services.Throttling{Periods: 3000, Throttled: 2400}
		p := st.pod("order-router")
		p.Probe = "Liveness probe failed: context deadline exceeded"
		p.crash(services.Exit{Code: 137})
		st.expect("a probe that failed for lack of CPU", "raise prod/order-router/app")
		a := st.active["service/kubernetes/prod/order-router/app"].Annotations
		if a["cause"] != "resource" || !strings.Contains(a["evidence"], "80 % of the periods") {
			t.Errorf("got %v, want the CPU limit", a)
		}
	})
}

func TestBlindWatcherClaimsNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		p.crash(services.Exit{Code: 1})
		p.backoff()
		st.expect("loop", "raise prod/feed/app")
		p.start()
		st.feed.Blind(errors.New("connection refused"))
		time.Sleep(10 * time.Second)
		st.expect("a moment")
		time.Sleep(20 * time.Minute)
		st.expect("for long", "raise service-watcher/kubernetes")
		reg := prometheus.NewPedanticRegistry()
		reg.MustRegister(st.Collector())
		n, err := testutil.GatherAndCount(reg, "hedgewatch_service_state", "kube_pod_container_status_restarts_total")
		if err != nil || n != 0 {
			t.Errorf("got %d series, error %v; want none of what is unknown", n, err)
		}
		st.feed.Observe(p.Observation)
		st.feed.Sees(map[services.Key]bool{{ServiceKey: services.ServiceKey{Platform: services.Kubernetes, Namespace: "prod", Service: "feed", Container: "app"}, Instance: "feed-1"}: true})
		time.Sleep(2 * time.Second)
		st.expect("it sees", "clear prod/feed/app", "clear service-watcher/kubernetes")
	})
}

func TestIncidentOfBeforeTheStartEnds(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t, "service/kubernetes/prod/gone/app", "something/else")
		st.expect("the service is gone", "clear prod/gone/app")
	})
}

func TestIncidentThatCannotBeToldIsTriedAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		st.refuse(true)
		p := st.pod("order-router")
		p.crash(services.Exit{Code: 1})
		time.Sleep(3 * time.Second)
		st.expect("refused")
		st.refuse(false)
		time.Sleep(2 * time.Second)
		st.expect("taken", "raise prod/order-router/app")
	})
}

func TestWantedEndIsNone(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("order-router")
		p.crash(services.Exit{Code: 143, Wanted: true})
		p.start()
		time.Sleep(time.Minute)
		st.expect("a restart by hand")
	})
}

func TestMetrics(t *testing.T) {
	in(t, func(t *testing.T) {
		st := newStage(t)
		p := st.pod("feed")
		st.log = "open /etc/feed.yml: no such file or directory"
		p.crash(services.Exit{Code: 1, Reason: "Error"})
		p.start()
		p.crash(services.Exit{Code: 1, Reason: "Error"})
		p.Phase = "Running"
		p.backoff()
		synctest.Wait()
		reg := prometheus.NewPedanticRegistry()
		reg.MustRegister(st.Collector())
		want := `
# HELP hedgewatch_service_backoff 1 while the next start is delayed because of earlier ends.
# TYPE hedgewatch_service_backoff gauge
hedgewatch_service_backoff{container="app",instance="feed-1",namespace="prod",platform="kubernetes",service="feed"} 1
# HELP hedgewatch_service_incident 1 for an incident that is open; told is no until it was raised.
# TYPE hedgewatch_service_incident gauge
hedgewatch_service_incident{container="app",namespace="prod",platform="kubernetes",service="feed",told="yes"} 1
# HELP hedgewatch_service_last_exit_info 1, with the cause and the code of the last end.
# TYPE hedgewatch_service_last_exit_info gauge
hedgewatch_service_last_exit_info{cause="configuration",code="1",container="app",instance="feed-1",namespace="prod",platform="kubernetes",service="feed"} 1
# HELP hedgewatch_service_next_restart_timestamp_seconds When the next start is due.
# TYPE hedgewatch_service_next_restart_timestamp_seconds gauge
hedgewatch_service_next_restart_timestamp_seconds{container="app",instance="feed-1",namespace="prod",platform="kubernetes",service="feed"} 9.46684812e+08
# HELP hedgewatch_service_restarts_total Ends of the process that nobody wanted, by cause, since the watcher first saw it.
# TYPE hedgewatch_service_restarts_total counter
hedgewatch_service_restarts_total{cause="configuration",container="app",instance="feed-1",namespace="prod",platform="kubernetes",service="feed"} 2
# HELP hedgewatch_service_state 1 for the state that an instance is in.
# TYPE hedgewatch_service_state gauge
hedgewatch_service_state{container="app",instance="feed-1",namespace="prod",platform="kubernetes",service="feed",state="backing_off"} 1
# HELP hedgewatch_services_dropped_total Observations of instances beyond the bound, which are not watched.
# TYPE hedgewatch_services_dropped_total counter
hedgewatch_services_dropped_total 0
# HELP hedgewatch_services_instances Instances that are watched.
# TYPE hedgewatch_services_instances gauge
hedgewatch_services_instances 1
# HELP hedgewatch_services_untold_total Incidents that could not be raised or cleared at once.
# TYPE hedgewatch_services_untold_total counter
hedgewatch_services_untold_total 0
# HELP hedgewatch_services_watcher_up Whether the watcher sees its platform.
# TYPE hedgewatch_services_watcher_up gauge
hedgewatch_services_watcher_up{platform="kubernetes"} 1
# HELP kube_pod_container_status_last_terminated_reason Describes the last reason the container was in terminated state.
# TYPE kube_pod_container_status_last_terminated_reason gauge
kube_pod_container_status_last_terminated_reason{container="app",namespace="prod",pod="feed-1",reason="Error"} 1
# HELP kube_pod_container_status_restarts_total The number of container restarts per container.
# TYPE kube_pod_container_status_restarts_total counter
kube_pod_container_status_restarts_total{container="app",namespace="prod",pod="feed-1"} 1
# HELP kube_pod_container_status_waiting_reason Describes the reason the container is currently in waiting state.
# TYPE kube_pod_container_status_waiting_reason gauge
kube_pod_container_status_waiting_reason{container="app",namespace="prod",pod="feed-1",reason="CrashLoopBackOff"} 1
# HELP kube_pod_status_phase The pod's current phase; other phases are left out.
# TYPE kube_pod_status_phase gauge
kube_pod_status_phase{namespace="prod",phase="Running",pod="feed-1"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	})
}
