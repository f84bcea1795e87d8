package kubernetes

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func FuzzObserve(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"a","namespace":"b","annotations":{"checksum/config":"x"}},"status":{"containerStatuses":[{"name":"app","state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s restarting failed"}},"lastState":{"terminated":{"exitCode":1}}}]}}`))
	f.Add([]byte(`{"status":{"phase":"Failed","initContainerStatuses":[{}],"containerStatuses":[{"state":{"terminated":{}}}]},"spec":{"containers":[{}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var pod corev1.Pod
		if json.Unmarshal(text, &pod) != nil {
			return
		}
		whole, small := observe(&pod), observe(smallPod(&pod))
		if len(whole) != len(small) {
			t.Fatalf("got %d observations of the small pod, want %d", len(small), len(whole))
		}
		for i := range whole {
			if whole[i].Condition != small[i].Condition || whole[i].Reason != small[i].Reason || whole[i].MemoryLimit != small[i].MemoryLimit {
				t.Errorf("got %+v of the small pod, want %+v", small[i], whole[i])
			}
		}
	})
}
