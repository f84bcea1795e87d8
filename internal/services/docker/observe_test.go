package docker

import (
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// ended is an inspection of a container that has ended.
func ended(started, finished time.Time) container.InspectResponse {
	return container.InspectResponse{
		Name:       "/calm",
		Config:     &container.Config{},
		HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "always"}},
		State: &container.State{
			Status: "exited", ExitCode: 137,
			StartedAt: started.Format(time.RFC3339Nano), FinishedAt: finished.Format(time.RFC3339Nano),
		},
	}
}

func TestInspectionAndLateEventAreOneEnd(t *testing.T) {
	began := time.Now().Add(-time.Minute).UTC()
	finished := began.Add(30 * time.Second)
	k := &known{}
	first := k.observe(ended(began, finished), nil)
	if first.Exit == nil || !first.Exit.At.Equal(finished) {
		t.Fatalf("got exit %+v, want the one that the inspection has", first.Exit)
	}
	late := finished.Add(4 * time.Second)
	if got := k.observe(ended(began, finished), &services.Exit{Code: 137, At: late}); !got.Exit.At.Equal(finished) {
		t.Errorf("got another end at %s, want that of %s", got.Exit.At, finished)
	}
	// The same once more, after a start, is another one.
	next := k.observe(ended(late.Add(time.Second), late.Add(2*time.Second)), &services.Exit{Code: 137, At: late.Add(2 * time.Second)})
	if !next.Exit.At.Equal(late.Add(2 * time.Second)) {
		t.Errorf("got the end of %s again, want a new one", next.Exit.At)
	}
}
