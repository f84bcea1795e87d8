package docker

import (
	"cmp"
	"encoding/hex"
	"hash/fnv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	labelCritical = "hedgewatch.io/critical"

	// Docker waits 100 ms before the first restart, twice as long each time, up
	// to a minute, and starts over after a run of ten seconds; dockerd's
	// restartmanager, 2026-11.
	firstDelay, maxDelay, goodRun = 100 * time.Millisecond, time.Minute, 10 * time.Second

	// sameEnd is how far an end's event and its time in the inspection may be apart.
	sameEnd = time.Second
)

// observe makes an observation of an inspection. ended is the end that an event
// has just told of.
func (k *known) observe(c container.InspectResponse, ended *services.Exit) services.Observation {
	st := c.State
	o := services.Observation{
		Key:         keyOf(c),
		Critical:    c.Config.Labels[labelCritical] == "true",
		Image:       c.Config.Image,
		Config:      cmp.Or(c.Config.Labels["com.docker.compose.config-hash"], hash(c.Config)),
		DependsOn:   dependsOn(c.Config.Labels["com.docker.compose.depends_on"]),
		Restarts:    c.RestartCount,
		MemoryLimit: c.HostConfig.Memory,
		CPU:         k.samples.Window(),
	}
	started, finished := parse(st.StartedAt), parse(st.FinishedAt)
	switch {
	case ended != nil:
		// OOMKilled stays set while the container runs again; with the news of an
		// end it is about that one.
		ended.OOM = ended.OOM || st.OOMKilled
		ended.Message = st.Error
		if ended.Unseen && !st.Running {
			ended.Code, ended.Unseen = st.ExitCode, false
		}
		ended.StartedAt = started
		if started.After(ended.At) { // It runs again already.
			ended.StartedAt = time.Time{}
			if k.exit != nil {
				ended.StartedAt = k.exit.At
			}
		}
		if k.isOf(ended, started) {
			ended.At = k.exit.At
		} else {
			k.delay = nextDelay(k.delay, c.RestartCount, ended)
		}
		k.exit, k.told = ended, true
	case k.exit == nil && !finished.IsZero() && (!st.Running || st.Restarting): // Running stays true while it waits.
		k.exit = &services.Exit{Code: st.ExitCode, At: finished, StartedAt: started, OOM: st.OOMKilled, Message: st.Error}
		k.told = false
		k.delay = nextDelay(0, c.RestartCount, k.exit)
	}
	if policy := c.HostConfig.RestartPolicy; k.over && k.exit != nil && !st.Running && restarts(policy, c.RestartCount, k.exit.Code) {
		k.exit.Wanted = true // Podman would have started it again.
	}
	if k.exit != nil {
		e := *k.exit
		o.Exit = &e
	}
	if h := st.Health; h != nil && h.Status == container.Unhealthy && len(h.Log) > 0 {
		o.Probe = "health check: " + h.Log[len(h.Log)-1].Output
	}
	k.condition(&o, c, started)
	return o
}

// isOf reports whether an inspection has told of the end before its event, which
// a busy Podman writes seconds later. No other end comes without a start.
func (k *known) isOf(event *services.Exit, started time.Time) bool {
	return k.exit != nil && !k.told && k.exit.Code == event.Code &&
		(event.At.Sub(k.exit.At).Abs() < sameEnd || !started.After(k.exit.At))
}

// restarts reports whether policy starts a container again after an end that
// nobody ordered.
func restarts(policy container.RestartPolicy, count, code int) bool {
	switch policy.Name {
	case "always", "unless-stopped":
		return true
	case "on-failure":
		return code != 0 && (policy.MaximumRetryCount == 0 || count < policy.MaximumRetryCount)
	}
	return false
}

// condition says what Docker's status means.
func (k *known) condition(o *services.Observation, c container.InspectResponse, started time.Time) {
	st, policy := c.State, c.HostConfig.RestartPolicy
	failed := st.ExitCode != 0 || st.Error != ""
	o.Message = st.Error
	switch status := string(st.Status); status {
	case "running", "paused":
		o.Condition, o.Since = services.Running, started
	case "restarting":
		o.Condition = services.Restarting
		if c.RestartCount >= 2 {
			o.Condition = services.BackingOff
		}
		if k.exit != nil {
			o.NextRestart = k.exit.At.Add(k.delay)
		}
	case "exited", "dead", "stopped", "removing":
		switch {
		case k.exit != nil && k.exit.Wanted || !failed && policy.Name != "always" && policy.Name != "unless-stopped":
			o.Condition = services.Stopped
		case restarts(policy, c.RestartCount, 1):
			// Between its end and the wait, if the end is news. One that was stopped
			// before we looked cannot be told from one that failed.
			o.Condition = services.Stopped
			if st.Error != "" {
				o.Condition = services.GaveUp
			} else if k.exit != nil && time.Since(k.exit.At) < time.Minute {
				o.Condition = services.Restarting
			}
		case policy.Name == "on-failure" || o.Critical:
			o.Condition = services.GaveUp
		default:
			o.Condition = services.Stopped // A job without a policy; nobody waits for it.
		}
	default: // created, initialized, configured.
		o.Condition = services.Waiting
		if st.Error != "" {
			o.Condition, o.Reason = services.Blocked, "StartFailed"
		}
	}
}

// nextDelay is how long Docker waits after end.
func nextDelay(before time.Duration, restarts int, end *services.Exit) time.Duration {
	switch {
	case !end.StartedAt.IsZero() && end.At.Sub(end.StartedAt) > goodRun:
		return firstDelay
	case before == 0 && restarts > 1: // The first look at a loop that is under way.
		return min(firstDelay<<min(restarts-1, 16), maxDelay)
	case before == 0:
		return firstDelay
	}
	return min(2*before, maxDelay)
}

func keyOf(c container.InspectResponse) services.Key {
	name := strings.TrimPrefix(c.Name, "/")
	labels := c.Config.Labels
	return services.Key{
		ServiceKey: services.ServiceKey{
			Platform:  services.Docker,
			Namespace: cmp.Or(labels["com.docker.compose.project"], labels["com.docker.stack.namespace"]),
			Service:   cmp.Or(labels["com.docker.compose.service"], labels["com.docker.swarm.service.name"], name),
		},
		Instance: name,
	}
}

// dependsOn reads Compose's label: db:service_started:false,cache:service_healthy:true.
func dependsOn(label string) []string {
	var names []string
	for part := range strings.SplitSeq(label, ",") {
		if name, _, _ := strings.Cut(part, ":"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// hash tells configurations apart without keeping what may be secret in them.
func hash(c *container.Config) string {
	h := fnv.New64a()
	for _, list := range [][]string{c.Env, c.Cmd, c.Entrypoint} {
		for _, s := range list {
			h.Write([]byte(s + "\x00"))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parse reads Docker's times; the zero time of a container that never ran is zero.
func parse(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 {
		return time.Time{}
	}
	return t
}
