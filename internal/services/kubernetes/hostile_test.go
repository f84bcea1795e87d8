package kubernetes_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (b *board) blind(want string) {
	b.t.Helper()
	b.eventually("it is blind and says why: "+want, func() bool {
		w := b.Overview().Watchers[0]
		return !w.Sees && strings.Contains(w.Error, want)
	})
}

func TestListsComeInPages(t *testing.T) {
	const pods = 1203
	a := newAPIServer(t)
	a.lists = true
	for i := range pods {
		a.set("pods", newPod("feed", fmt.Sprint(i)))
		a.set("events", &corev1.Event{
			TypeMeta: metav1.TypeMeta{Kind: "Event", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("e", i), Namespace: "prod"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "prod", Name: "other"}, Reason: "Pulled",
		})
	}
	b := watch(t, a)
	b.sees()
	b.eventually("all pods are watched", func() bool { return len(b.Overview().Services) == pods })
	a.drop() // Before it lists again.
	a.remove("pods", "feed-6f7c9-7")
	b.eventually("one is gone", func() bool { return len(b.Overview().Services) == pods-1 })
	a.set("pods", crashed(newPod("feed", "8"), 3, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}))
	if in := b.incident("service/kubernetes/prod/feed/app"); in.Annotations["cause"] != "resource" {
		t.Errorf("got %v, want an OOM", in.Annotations)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.longest > 500 {
		t.Errorf("got a list of %d items, want pages of 500", a.longest)
	}
}

func TestAnswersWithoutEndAreNotRead(t *testing.T) {
	var written atomic.Int64
	chunk := strings.Repeat("x", 1<<16)
	endless := func(w io.Writer, begin string) {
		io.WriteString(w, begin)
		for written.Load() < 1<<30 {
			n, err := io.WriteString(w, chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
	pods := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/pods") }
	cases := map[string]struct {
		override func(w http.ResponseWriter, r *http.Request) bool
		want     string
	}{
		"list": {func(w http.ResponseWriter, r *http.Request) bool {
			if !pods(r) || r.FormValue("watch") != "" {
				return false
			}
			endless(w, `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"`)
			return true
		}, "is larger than 67108864 bytes"},
		"change": {func(w http.ResponseWriter, r *http.Request) bool {
			if !pods(r) || r.FormValue("watch") == "" || r.FormValue("sendInitialEvents") != "" {
				return false
			}
			endless(w, `{"type":"ADDED","object":{"metadata":{"name":"`)
			return true
		}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			written.Store(0)
			a := newAPIServer(t)
			a.lists = true
			a.override = c.override
			b := watch(t, a)
			if c.want != "" {
				b.blind(c.want)
			} else {
				b.eventually("it was told too much", func() bool { return written.Load() > 16<<20 })
			}
			a.mu.Lock()
			a.override = nil // Now it behaves.
			a.mu.Unlock()
			b.eventually("it sees again", func() bool { return b.Overview().Watchers[0].Sees })
			if got := written.Load(); got > 512<<20 {
				t.Errorf("got %d bytes written, want them cut off", got)
			}
		})
	}
}

func TestRefusalsAndNonsenseAreClearErrors(t *testing.T) {
	text := func(status int, kind, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	}
	cases := map[string]struct {
		override func(http.ResponseWriter, *http.Request) bool
		want     string
	}{
		"who are you":   {text(401, "application/json", `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`), "Unauthorized"},
		"no permission": {text(403, "application/json", `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"pods is forbidden: User \"x\" cannot list resource \"pods\"","reason":"Forbidden","code":403}`), "cannot list resource"},
		"it fails":      {text(500, "text/plain", "etcd is gone"), "etcd is gone"},
		"a login page":  {text(200, "text/html", "<html>Sign in</html>"), "text/html"},
		"wrong JSON":    {text(200, "application/json", `[1,2`), "list *v1.Pod"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAPIServer(t)
			a.lists = true
			a.override = c.override
			b := watch(t, a)
			b.blind(c.want)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		a := newAPIServer(t)
		a.server.Close()
		b := watch(t, a)
		b.blind("connection refused")
	})
}

// odd are pods that no API server should send.
func odd() []*corev1.Pod {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "prod"} }
	return []*corev1.Pod{
		{ObjectMeta: meta("empty")},
		{ObjectMeta: meta("no-state"), Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app"}}}},
		{ObjectMeta: meta("no-name"), Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}}}},
		{ObjectMeta: meta("negative"), Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: -7, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: -1, Signal: -9}}}}}},
		{ObjectMeta: meta("back-off"), Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 99999999999999999999h1s restarting failed"}}}}}},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "many", Namespace: "prod", OwnerReferences: make([]metav1.OwnerReference, 50), Annotations: map[string]string{"hedgewatch.io/depends-on": strings.Repeat("a,", 10000)}},
			Status:     corev1.PodStatus{ContainerStatuses: make([]corev1.ContainerStatus, 100)},
		},
	}
}

func TestPodsOfAnyShapeHarmNoOther(t *testing.T) {
	a := newAPIServer(t)
	for _, p := range odd() {
		p.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
		a.set("pods", p)
	}
	b := watch(t, a)
	b.sees()
	for _, p := range odd() {
		p.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
		a.set("pods", p)
	}
	a.set("pods", crashed(newPod("order-router", "1"), 1, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}))
	if in := b.incident("service/kubernetes/prod/order-router/app"); in.Annotations["cause"] != "resource" {
		t.Errorf("got %v, want an OOM", in.Annotations)
	}
}

// A flood of events, most of them of containers that no pod has, and lines of a
// megabyte keep no crash from being seen.
func TestFloodOfEventsAndLongLinesLeaveTheIncident(t *testing.T) {
	a := newAPIServer(t)
	a.logs["app?previous="] = strings.Repeat(strings.Repeat("x", 1<<20)+"\n", 3) + "dial tcp 10.0.0.3:5432: connect: connection refused\n"
	p := newPod("order-router", "1")
	a.set("pods", p)
	b := watch(t, a)
	b.sees()
	for i := range 5000 {
		a.set("events", &corev1.Event{
			TypeMeta: metav1.TypeMeta{Kind: "Event", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("e", i), Namespace: "prod"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "prod", Name: p.Name, FieldPath: fmt.Sprintf("spec.containers{c%d}", i)},
			Reason:         "Unhealthy", Message: "Liveness probe failed", LastTimestamp: metav1.Now(),
		})
	}
	a.set("pods", crashed(p, 1, corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}))
	in := b.incident("service/kubernetes/prod/order-router/app")
	// On a busy machine the alert does not wait for the log, which comes later.
	b.eventually("the log is read", func() bool {
		in = b.incident("service/kubernetes/prod/order-router/app")
		return in.Annotations["cause"] != "unknown"
	})
	if in.Annotations["cause"] != "dependency" || len(in.Annotations["evidence"]) > 5*500 {
		t.Errorf("got cause %s with %d bytes of evidence, want a dependency", in.Annotations["cause"], len(in.Annotations["evidence"]))
	}
	if n := len(b.Overview().Services); n != 1 {
		t.Errorf("got %d instances, want 1", n)
	}
}
