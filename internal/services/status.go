package services

import (
	"slices"
	"strings"
	"time"
)

// Status is what is known of one instance.
type Status struct {
	Key
	State    State `json:"state"`
	Critical bool  `json:"critical,omitempty"`
	// Failing says that the instance is part of an incident, and BecauseOf of
	// whose if it is not its own.
	Failing   bool        `json:"failing,omitempty"`
	BecauseOf string      `json:"becauseOf,omitempty"`
	Node      string      `json:"node,omitempty"`
	Image     string      `json:"image,omitempty"`
	Since     time.Time   `json:"since,omitzero"`
	Restarts  int         `json:"restarts"`
	Ends      []time.Time `json:"ends,omitempty"`
	// History are the ends of the last day that nobody wanted, the newest last.
	History []End `json:"history,omitempty"`
	// DependsOn names services of the same namespace that it is declared to need.
	DependsOn []string `json:"dependsOn,omitempty"`
	// NextRestart is when the platform tries again.
	NextRestart time.Time  `json:"nextRestart,omitzero"`
	LastExit    *LastExit  `json:"lastExit,omitempty"`
	Diagnosis   *Diagnosis `json:"diagnosis,omitempty"`
	LastChange  string     `json:"lastChange,omitempty"`
	MemoryLimit int64      `json:"memoryLimitBytes,omitempty"`
	// CPUThrottled is the share of its last minutes in which a CPU limit held it
	// back, 0 to 1; left out where there is no limit or nobody can tell.
	CPUThrottled *float64 `json:"cpuThrottledRatio,omitempty"`
	Reason       string   `json:"reason,omitempty"`
}

// End is one end of an instance's process.
type End struct {
	At time.Time `json:"at"`
	// Code and Signal are how it ended, unless Unseen.
	Code   int  `json:"code"`
	Signal int  `json:"signal,omitempty"`
	Unseen bool `json:"unseen,omitempty"`
	// Cause is empty until it is found.
	Cause Cause `json:"cause,omitempty"`
}

// LastExit is the last end of an instance's process.
type LastExit struct {
	Code   int    `json:"code"`
	Signal int    `json:"signal,omitempty"`
	Reason string `json:"reason,omitempty"`
	OOM    bool   `json:"oom,omitempty"`
	// Unseen says that nobody saw how it ended; Code and Signal say nothing.
	Unseen bool      `json:"unseen,omitempty"`
	Wanted bool      `json:"wanted,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Watching is how one watcher is doing.
type Watching struct {
	Platform Platform `json:"platform"`
	Sees     bool     `json:"sees"`
	// Error and Since say why it does not, and since when.
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// Overview is everything that is known, trouble first.
type Overview struct {
	Watchers []Watching `json:"watchers"`
	Services []Status   `json:"services"`
}

// Overview returns what is known now. While a watcher is blind, its instances
// are as it saw them last.
func (s *Services) Overview() Overview {
	now := time.Now()
	s.mu.Lock()
	all := Overview{Watchers: []Watching{}, Services: make([]Status, 0, s.instances)}
	for p, f := range s.feeds {
		w := Watching{Platform: p, Sees: !f.blind()}
		if f.blind() {
			w.Error, w.Since = clean(f.err.Error()), f.since
		}
		all.Watchers = append(all.Watchers, w)
	}
	for _, svc := range s.services {
		for _, in := range svc.instances {
			all.Services = append(all.Services, s.status(svc, in, now))
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all.Watchers, func(a, b Watching) int { return strings.Compare(string(a.Platform), string(b.Platform)) })
	slices.SortFunc(all.Services, func(a, b Status) int {
		if a.Failing != b.Failing {
			if a.Failing {
				return -1
			}
			return 1
		}
		return strings.Compare(a.incident()+"/"+a.Instance, b.incident()+"/"+b.Instance)
	})
	return all
}

func (s *Services) status(svc *service, in *instance, now time.Time) Status {
	st := Status{
		Key: in.Key, State: in.state(), Critical: in.Critical || s.config.critical(in.Service), Failing: in.looping,
		Node: in.Node, Image: in.Image, Since: in.Since, Restarts: in.Restarts, Ends: slices.Clone(in.exits), History: slices.Clone(in.history),
		DependsOn:  slices.Clone(in.DependsOn),
		LastChange: svc.lastChange(now), MemoryLimit: in.MemoryLimit, Reason: in.Reason, CPUThrottled: in.throttled(),
	}
	if in.NextRestart.After(now) {
		st.NextRestart = in.NextRestart
	}
	if e := in.Exit; e != nil {
		st.LastExit = &LastExit{Code: e.Code, Signal: e.signal(), Reason: e.Reason, OOM: e.OOM, Unseen: e.Unseen, Wanted: e.Wanted, At: e.At}
	}
	if in.diagnosis.Cause != "" {
		d := in.diagnosis
		st.Diagnosis = &d
	}
	if svc.parent != nil && in.looping {
		st.BecauseOf = svc.parent.key.String()
	}
	return st
}
