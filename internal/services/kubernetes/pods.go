package kubernetes

import (
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// pods is what is remembered of each pod, to put together what the three
// streams say.
type pods struct {
	feed *services.Feed

	mu   sync.Mutex
	pods map[types.NamespacedName]*record
	lost map[string]bool // Nodes that are not heard of.
}

// record is one pod.
type record struct {
	containers []services.Observation
	mount      string // Why a volume cannot be mounted.
	probes     map[string]probe
}

// probe is what events say of a container's probe.
type probe struct {
	failed string    // The last message of a probe that counts.
	killed time.Time // When the kubelet ended the container for it.
}

// probeReach is how long an end may come after the order: the grace period.
const probeReach = 10 * time.Minute

func newPods(feed *services.Feed) *pods {
	return &pods{feed: feed, pods: map[types.NamespacedName]*record{}, lost: map[string]bool{}}
}

func (p *pods) set(obj any) {
	if pod, ok := obj.(*corev1.Pod); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.put(pod)
	}
}

func (p *pods) put(pod *corev1.Pod) *record {
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	r := p.pods[name]
	if r == nil {
		r = &record{}
		if len(p.pods) < services.MaxInstances { // Beyond, its containers are counted as dropped.
			p.pods[name] = r
		}
	}
	before := r.containers
	r.containers = observe(pod)
	if len(r.containers) > 0 && r.containers[0].Condition != services.Waiting {
		r.mount = ""
	}
	for _, o := range before {
		if !has(r.containers, o.Key) {
			p.feed.Gone(o.Key)
		}
	}
	p.report(r)
	return r
}

// report tells of all containers of r. The caller holds the lock, so that no
// older state overtakes a newer one.
func (p *pods) report(r *record) {
	for _, o := range r.containers {
		o.NodeLost = p.lost[o.Node]
		if r.mount != "" && o.Condition == services.Waiting {
			o.Condition, o.Reason, o.Message = services.Blocked, "FailedMount", r.mount
		}
		if pr := r.probes[o.Container]; o.Exit != nil && !pr.killed.IsZero() {
			if d := o.Exit.At.Sub(pr.killed); d > -2*time.Second && d < probeReach {
				o.Probe = pr.failed
			}
		}
		p.feed.Observe(o)
	}
}

func (p *pods) remove(obj any) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if r := p.pods[name]; r != nil {
		for _, o := range r.containers {
			p.feed.Gone(o.Key)
		}
		delete(p.pods, name)
	}
}

// replace takes over a list of all pods.
func (p *pods) replace(objects []any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	listed := make(map[types.NamespacedName]bool, len(objects))
	present := make(map[services.Key]bool, len(objects))
	for _, obj := range objects {
		pod, ok := obj.(*corev1.Pod)
		if !ok {
			continue
		}
		listed[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}] = true
		for _, o := range p.put(pod).containers {
			present[o.Key] = true
		}
	}
	for name := range p.pods {
		if !listed[name] {
			delete(p.pods, name)
		}
	}
	p.feed.Sees(present)
}

// event takes in what events say of probes and mounts. BackOff is not among it:
// the same word is used for images, and the pod's status says it better.
func (p *pods) event(obj any) {
	e, ok := obj.(*corev1.Event)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.pods[types.NamespacedName{Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name}]
	if r == nil {
		return
	}
	container := strings.TrimSuffix(strings.TrimPrefix(e.InvolvedObject.FieldPath, "spec.containers{"), "}")
	if e.Reason != "FailedMount" && !slices.ContainsFunc(r.containers, func(o services.Observation) bool { return o.Container == container }) {
		return
	}
	switch {
	case e.Reason == "FailedMount":
		r.mount = e.Message
	case e.Reason == "Unhealthy" && !strings.HasPrefix(e.Message, "Readiness"):
		pr := r.probe(container)
		pr.failed = e.Message
		r.probes[container] = pr
		return // It counts when the container is ended for it.
	case e.Reason == "Killing" && strings.Contains(e.Message, "probe"):
		pr := r.probe(container)
		pr.killed = e.LastTimestamp.Time
		if pr.failed == "" {
			pr.failed = e.Message
		}
		r.probes[container] = pr
	default:
		return
	}
	p.report(r)
}

func (r *record) probe(container string) probe {
	if r.probes == nil {
		r.probes = map[string]probe{}
	}
	return r.probes[container]
}

func (p *pods) node(obj any) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return
	}
	lost := false
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown {
			lost = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost[n.Name] == lost {
		return
	}
	delete(p.lost, n.Name)
	if lost {
		p.lost[n.Name] = true
	}
	for _, r := range p.pods {
		if len(r.containers) > 0 && r.containers[0].Node == n.Name {
			p.report(r)
		}
	}
}

// running reports whether the container runs again, so that the log of its end
// is the previous one.
func (p *pods) running(key services.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.pods[types.NamespacedName{Namespace: key.Namespace, Name: key.Instance}]; r != nil {
		for _, o := range r.containers {
			if o.Container == key.Container {
				return o.Condition == services.Running
			}
		}
	}
	return false
}

func has(list []services.Observation, key services.Key) bool {
	for _, o := range list {
		if o.Key == key {
			return true
		}
	}
	return false
}
