package kubernetes

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// Label or annotation, and annotation.
const (
	critical  = "hedgewatch.io/critical"
	dependsOn = "hedgewatch.io/depends-on"
)

// blocked are the reasons with which a container cannot start. ErrImagePull is
// not among them: it is the first attempt, and ImagePullBackOff follows.
var blocked = []string{
	"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "CreateContainerConfigError",
	"CreateContainerError", "RunContainerError", "SignatureValidationFailed",
}

// backoff is in the message of CrashLoopBackOff: back-off 2m40s restarting failed …
var backoff = regexp.MustCompile(`back-off ((?:\d+h)?(?:\d+m)?\d+s) restarting`)

// observe makes an observation of each container of pod.
func observe(pod *corev1.Pod) []services.Observation {
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	list := make([]services.Observation, 0, max(1, len(statuses)))
	service := workload(pod)
	base := services.Observation{
		Critical: pod.Labels[critical] == "true" || pod.Annotations[critical] == "true",
		Node:     pod.Spec.NodeName,
		Config:   revision(pod),
		Reason:   pod.Status.Reason,
		Message:  pod.Status.Message,
	}
	if text := pod.Annotations[dependsOn]; text != "" {
		base.DependsOn = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	}
	key := func(container string) services.Key {
		return services.Key{ServiceKey: services.ServiceKey{
			Platform: services.Kubernetes, Namespace: pod.Namespace, Service: service, Container: container,
		}, Instance: pod.Name}
	}
	if len(statuses) == 0 { // Not scheduled yet, or refused by its node.
		for _, c := range pod.Spec.Containers {
			o := base
			o.Key, o.Image = key(c.Name), c.Image
			if pod.Status.Phase == corev1.PodFailed {
				o.Condition, o.Exit = services.Failed, &services.Exit{Reason: pod.Status.Reason, Message: pod.Status.Message, At: ended(pod)}
			}
			list = append(list, o)
		}
	}
	for _, cs := range statuses {
		o := base
		o.Key, o.Image, o.Restarts = key(cs.Name), cs.Image, int(cs.RestartCount)
		for _, c := range pod.Spec.Containers {
			if c.Name == cs.Name {
				o.MemoryLimit = c.Resources.Limits.Memory().Value()
			}
		}
		o.Exit = exit(cs, pod.DeletionTimestamp)
		condition(&o, cs, pod)
		list = append(list, o)
	}
	if len(list) > 0 {
		list[0].Phase = string(pod.Status.Phase)
	}
	return list
}

// condition says what the status of a container means.
func condition(o *services.Observation, cs corev1.ContainerStatus, pod *corev1.Pod) {
	switch st := cs.State; {
	case st.Running != nil:
		o.Condition, o.Since = services.Running, st.Running.StartedAt.Time
	case st.Terminated != nil:
		ok := st.Terminated.ExitCode == 0
		o.Condition, o.Since = services.Restarting, st.Terminated.FinishedAt.Time
		switch {
		case pod.DeletionTimestamp != nil || ok && pod.Spec.RestartPolicy != corev1.RestartPolicyAlways || ok && initial(pod, cs.Name):
			o.Condition = services.Stopped
		case pod.Spec.RestartPolicy == corev1.RestartPolicyNever || pod.Status.Phase == corev1.PodFailed:
			o.Condition = services.Failed
		}
		if o.Reason == "" {
			o.Message = st.Terminated.Message
		}
	case st.Waiting != nil:
		o.Reason, o.Message = st.Waiting.Reason, st.Waiting.Message
		switch {
		case o.Reason == "CrashLoopBackOff":
			o.Condition = services.BackingOff
			if m := backoff.FindStringSubmatch(o.Message); m != nil && o.Exit != nil {
				d, _ := time.ParseDuration(m[1]) // The pattern has matched one.
				o.NextRestart = o.Exit.At.Add(d)
			}
			o.Message = "" // It names the pod, not the cause.
		case slices.Contains(blocked, o.Reason):
			o.Condition = services.Blocked
		case o.Exit != nil:
			o.Condition = services.Restarting
		}
	}
}

func exit(cs corev1.ContainerStatus, deleted *metav1.Time) *services.Exit {
	t := cs.State.Terminated
	if t == nil {
		t = cs.LastTerminationState.Terminated
	}
	if t == nil {
		return nil
	}
	return &services.Exit{
		Code: int(t.ExitCode), Signal: int(t.Signal), Reason: t.Reason, Message: t.Message,
		OOM:       t.Reason == "OOMKilled",
		Wanted:    deleted != nil,
		StartedAt: t.StartedAt.Time,
		At:        t.FinishedAt.Time,
	}
}

func initial(pod *corev1.Pod, container string) bool {
	return slices.ContainsFunc(pod.Status.InitContainerStatuses, func(cs corev1.ContainerStatus) bool { return cs.Name == container })
}

func ended(pod *corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady || c.Type == corev1.DisruptionTarget {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// workload is the name of what owns the pod: for a Deployment its own, not that
// of one revision.
func workload(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	switch {
	case owner == nil:
		return pod.Name
	case owner.Kind == "ReplicaSet":
		return strings.TrimSuffix(owner.Name, "-"+pod.Labels["pod-template-hash"])
	}
	return owner.Name
}

// revision changes with the pod's template and with the checksums of its
// configuration that Helm's charts keep in annotations.
func revision(pod *corev1.Pod) string {
	h := fnv.New64a()
	for _, label := range []string{"pod-template-hash", "controller-revision-hash"} {
		fmt.Fprintln(h, pod.Labels[label])
	}
	var sums []string
	for name, value := range pod.Annotations {
		if strings.HasPrefix(name, "checksum/") {
			sums = append(sums, name+value)
		}
	}
	slices.Sort(sums)
	fmt.Fprintln(h, sums)
	return hex.EncodeToString(h.Sum(nil))
}

// stripPod keeps what observe reads.
func stripPod(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	return smallPod(pod), nil
}

func smallPod(pod *corev1.Pod) *corev1.Pod {
	small := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels, Annotations: pod.Annotations, ResourceVersion: pod.ResourceVersion,
			OwnerReferences: pod.OwnerReferences, DeletionTimestamp: pod.DeletionTimestamp, CreationTimestamp: pod.CreationTimestamp,
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName, RestartPolicy: pod.Spec.RestartPolicy},
		Status: pod.Status,
	}
	for _, c := range pod.Spec.Containers {
		small.Spec.Containers = append(small.Spec.Containers, corev1.Container{
			Name: c.Name, Image: c.Image, Resources: corev1.ResourceRequirements{Limits: c.Resources.Limits},
		})
	}
	return small
}

// stripEvent keeps what pods.event reads.
func stripEvent(obj any) (any, error) {
	e, ok := obj.(*corev1.Event)
	if !ok {
		return obj, nil
	}
	small := &corev1.Event{InvolvedObject: e.InvolvedObject, Reason: e.Reason, Message: e.Message, LastTimestamp: e.LastTimestamp}
	small.Name, small.Namespace, small.ResourceVersion = e.Name, e.Namespace, e.ResourceVersion
	if small.LastTimestamp.IsZero() {
		small.LastTimestamp = metav1.NewTime(e.EventTime.Time)
	}
	return small, nil
}

// stripNode keeps what pods.node reads.
func stripNode(obj any) (any, error) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return obj, nil
	}
	small := &corev1.Node{Status: corev1.NodeStatus{Conditions: n.Status.Conditions}}
	small.Name, small.ResourceVersion = n.Name, n.ResourceVersion
	return small, nil
}
