package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// apiserver answers the REST paths that the watcher asks, from objects that a
// test sets: list, watch with or without initial events, and logs.
type apiserver struct {
	t      testing.TB
	server *httptest.Server
	logs   map[string]string // By container.

	// override answers in place of the rest if it is true.
	override func(w http.ResponseWriter, r *http.Request) bool
	// lists makes it refuse to stream what is there already, as servers before
	// 1.32 do.
	lists bool

	mu       sync.Mutex
	longest  int // Items of a list.
	version  int
	refuse   int                             // The status that all requests get.
	objects  map[string]map[string]any       // By resource and name.
	watchers map[string]map[chan []byte]bool // By resource.
}

func newAPIServer(t testing.TB) *apiserver {
	a := &apiserver{
		t: t, logs: map[string]string{}, version: 1,
		objects:  map[string]map[string]any{"pods": {}, "events": {}, "nodes": {}},
		watchers: map[string]map[chan []byte]bool{"pods": {}, "events": {}, "nodes": {}},
	}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.drop()
		a.server.Close()
	})
	return a
}

// kubeconfig returns a file that leads to a.
func (a *apiserver) kubeconfig() string {
	name := filepath.Join(a.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\nclusters: [{name: x, cluster: {server: %q}}]\nusers: [{name: x, user: {token: t}}]\n", a.server.URL)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return name
}

// set creates or changes an object and tells those who watch.
func (a *apiserver) set(resource string, obj metav1.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	obj.SetResourceVersion(strconv.Itoa(a.version))
	kind := "ADDED"
	if a.objects[resource][obj.GetName()] != nil {
		kind = "MODIFIED"
	}
	a.objects[resource][obj.GetName()] = obj
	a.send(resource, kind, obj)
}

func (a *apiserver) remove(resource, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	obj := a.objects[resource][name]
	delete(a.objects[resource], name)
	a.version++
	obj.(metav1.Object).SetResourceVersion(strconv.Itoa(a.version))
	a.send(resource, "DELETED", obj)
}

func (a *apiserver) send(resource, kind string, obj any) {
	line := a.line(kind, obj)
	for w := range a.watchers[resource] {
		w <- line
	}
}

func (a *apiserver) line(kind string, obj any) []byte {
	text, err := json.Marshal(map[string]any{"type": kind, "object": obj})
	if err != nil {
		a.t.Error(err)
	}
	return append(text, '\n')
}

// drop ends all watches; refuse keeps them from coming back.
func (a *apiserver) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, watchers := range a.watchers {
		for w := range watchers {
			close(w)
			delete(watchers, w)
		}
	}
}

func (a *apiserver) setRefuse(status int) {
	a.mu.Lock()
	a.refuse = status
	a.mu.Unlock()
	if status != 0 {
		a.drop()
	}
}

func (a *apiserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	refuse, override := a.refuse, a.override
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if override != nil && override(w, r) {
		return
	}
	if refuse != 0 {
		w.WriteHeader(refuse)
		json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure",
			Message: "pods is forbidden", Reason: metav1.StatusReasonForbidden, Code: int32(refuse),
		})
		return
	}
	resource := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	switch {
	case strings.HasSuffix(r.URL.Path, "/log"):
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, a.logs[r.FormValue("container")+"?previous="+r.FormValue("previous")])
	case a.objects[resource] == nil:
		http.NotFound(w, r)
	case a.lists && r.FormValue("sendInitialEvents") == "true":
		w.WriteHeader(http.StatusUnprocessableEntity)
		json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure",
			Message: "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled", Reason: metav1.StatusReasonInvalid, Code: 422,
		})
	case r.FormValue("watch") == "true":
		a.watch(w, r, resource)
	default:
		a.mu.Lock()
		defer a.mu.Unlock()
		// In pages by name, as the real one does.
		names := slices.Sorted(maps.Keys(a.objects[resource]))
		from, _ := strconv.Atoi(r.FormValue("continue")) // None is the first.
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || r.FormValue("resourceVersion") == "0" {
			limit = len(names)
		}
		meta := map[string]any{"resourceVersion": strconv.Itoa(a.version)}
		to := min(from+limit, len(names))
		if to < len(names) {
			meta["continue"] = strconv.Itoa(to)
		}
		items := []any{}
		for _, name := range names[from:to] {
			items = append(items, a.objects[resource][name])
		}
		a.longest = max(a.longest, len(items))
		json.NewEncoder(w).Encode(map[string]any{"kind": kinds[resource] + "List", "apiVersion": "v1", "metadata": meta, "items": items})
	}
}

var kinds = map[string]string{"pods": "Pod", "events": "Event", "nodes": "Node"}

func (a *apiserver) watch(w http.ResponseWriter, r *http.Request, resource string) {
	ch := make(chan []byte, 20000)
	a.mu.Lock()
	if r.FormValue("sendInitialEvents") == "true" {
		for _, obj := range a.objects[resource] {
			ch <- a.line("ADDED", obj)
		}
		ch <- a.line("BOOKMARK", map[string]any{"kind": kinds[resource], "apiVersion": "v1", "metadata": map[string]any{
			"resourceVersion": strconv.Itoa(a.version), "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
	}
	if since, err := strconv.Atoi(r.FormValue("resourceVersion")); err == nil && r.FormValue("sendInitialEvents") != "true" {
		for _, obj := range a.objects[resource] { // What has changed since the list.
			if version, _ := strconv.Atoi(obj.(metav1.Object).GetResourceVersion()); version > since {
				ch <- a.line("MODIFIED", obj)
			}
		}
	}
	a.watchers[resource][ch] = true
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.watchers[resource], ch)
		a.mu.Unlock()
	}()
	flush := w.(http.Flusher)
	flush.Flush()
	for {
		select {
		case line, open := <-ch:
			if !open {
				return
			}
			if _, err := w.Write(line); err != nil {
				return
			}
			flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// newPod is a pod of a Deployment, whose one container runs.
func newPod(service, suffix string) *corev1.Pod {
	yes := true
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Name: service + "-6f7c9-" + suffix, Namespace: "prod", Labels: map[string]string{"pod-template-hash": "6f7c9"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: service + "-6f7c9", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: "node-1", RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", Image: "app:1", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}}},
	}
}

// crashed changes p into what the kubelet reports after the nth crash.
func crashed(p *corev1.Pod, n int32, end corev1.ContainerStateTerminated) *corev1.Pod {
	p = p.DeepCopyObject().(*corev1.Pod)
	end.FinishedAt = metav1.Now()
	cs := &p.Status.ContainerStatuses[0]
	cs.RestartCount = n
	cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
		Reason: "CrashLoopBackOff", Message: fmt.Sprintf("back-off 2m40s restarting failed container=app pod=%s_prod(x)", p.Name),
	}}
	cs.LastTerminationState = corev1.ContainerState{Terminated: &end}
	return p
}
