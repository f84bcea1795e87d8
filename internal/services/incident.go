package services

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// The names of the alerts that incidents become.
const (
	alertFailing = "ServiceFailing"
	alertBlind   = "ServiceWatcherBlind"
)

// Incident is what people are told, until it is cleared.
type Incident struct {
	// Key stays the same for as long as the incident lasts.
	Key      string
	Name     string
	Critical bool
	Labels   map[string]string
	// Annotations have the summary and all that explains it.
	Annotations map[string]string
	// matter is what makes a change worth telling. Counts grow all the time.
	matter string
}

func (in Incident) same(o Incident) bool {
	return in.Critical == o.Critical && in.matter == o.matter && maps.Equal(in.Labels, o.Labels)
}

const keyPrefix = "service/"

// incident is the key of the service's incident.
func (k ServiceKey) incident() string {
	return keyPrefix + strings.Join([]string{string(k.Platform), k.Namespace, k.Service, k.Container}, "/")
}

func keyPlatform(key string) (Platform, bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	platform, _, ok2 := strings.Cut(rest, "/")
	return Platform(platform), ok && ok2
}

// String is the name that people use.
func (k ServiceKey) String() string {
	name := k.Service
	if k.Namespace != "" {
		name = k.Namespace + "/" + name
	}
	if k.Container != "" && k.Container != k.Service {
		name += " (" + k.Container + ")"
	}
	return name
}

// incident describes svc's trouble and that of those which hang below it.
func (s *Services) incident(svc *service, now time.Time) Incident {
	in := svc.worst()
	inc := Incident{
		Key:         svc.key.incident(),
		Name:        alertFailing,
		Critical:    s.critical(svc),
		Labels:      map[string]string{"platform": string(svc.key.Platform), "service": svc.key.Service},
		Annotations: map[string]string{},
	}
	if svc.key.Namespace != "" {
		inc.Labels["namespace"] = svc.key.Namespace
	}
	if svc.key.Container != "" {
		inc.Labels["container"] = svc.key.Container
	}
	var below []string
	for _, child := range svc.allBelow() {
		below = append(below, child.key.String())
		inc.Critical = inc.Critical || s.critical(child)
	}
	state, d := in.state(), in.diagnosis
	inc.matter = strings.Join(append([]string{string(state.matter()), string(d.Cause), d.Finding, svc.change.what}, below...), "\n")
	put := func(name, value string) {
		if value != "" {
			inc.Annotations[name] = value
		}
	}
	put("summary", fmt.Sprintf("Service %s %s: %s.", svc.key, state.words(), d.Finding))
	put("cause", string(d.Cause))
	put("description", describe(svc, in, below, now))
	put("evidence", strings.Join(d.Evidence, "\n"))
	put("last_change", svc.lastChange(now))
	put("also_failing", strings.Join(below, ", "))
	return inc
}

func describe(svc *service, in *instance, below []string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s: %s, cause: %s.", in.Instance, in.Platform, strings.ReplaceAll(string(in.state()), "_", " "), in.diagnosis.Cause)
	if e := in.Exit; e != nil {
		fmt.Fprintf(&b, " It last ended at %s, %s.", e.At.UTC().Format("15:04:05 MST"), ending(Observation{Exit: e}))
	}
	if n := len(in.exits); n > 1 {
		fmt.Fprintf(&b, " It ended %d times since %s.", n, in.exits[0].UTC().Format("15:04:05 MST"))
	}
	if next := in.NextRestart; next.After(now) {
		fmt.Fprintf(&b, " The next start is at %s.", next.UTC().Format("15:04:05 MST"))
	}
	if failing := svc.failing(); failing > 1 {
		fmt.Fprintf(&b, " %d of %d instances fail.", failing, len(svc.instances))
	}
	if len(below) > 0 {
		fmt.Fprintf(&b, " Because of it, %s fail too.", strings.Join(below[:min(len(below), 20)], ", "))
	}
	return b.String()
}

func (svc *service) failing() int {
	n := 0
	for _, in := range svc.instances {
		if in.looping {
			n++
		}
	}
	return n
}

// lastChange is what was changed less than an hour before the incident.
func (svc *service) lastChange(now time.Time) string {
	if svc.change.at.IsZero() || now.Sub(svc.change.at) > 24*time.Hour || svc.began.Sub(svc.change.at) > time.Hour {
		return ""
	}
	return clean(svc.change.what) + " at " + svc.change.at.UTC().Format("15:04:05 MST")
}

// matter is the state without the steps of one loop, which nobody needs to hear of.
func (s State) matter() State {
	switch s {
	case StateRestarting, StateRecovering, StateRunning, StateStarting:
		return StateBackingOff
	}
	return s
}

func (s State) words() string {
	switch s {
	case StateBlocked:
		return "cannot start"
	case StateGaveUp, StateFailed:
		return "has failed and is not started again"
	case StateStopped:
		return "has stopped"
	}
	return "does not stay up"
}

// splitKey is the reverse of ServiceKey.incident. No part of it has a slash.
func splitKey(key string) ServiceKey {
	p := strings.SplitN(strings.TrimPrefix(key, keyPrefix), "/", 4)
	for len(p) < 4 {
		p = append(p, "")
	}
	return ServiceKey{Platform(p[0]), p[1], p[2], p[3]}
}
