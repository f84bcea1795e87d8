package services

import (
	"slices"
	"time"
)

const (
	// A loop is that many ends of the process in that time. The second pair is
	// for loops that are too slow for a platform's back-off.
	quickExits, quickWindow = 2, 10 * time.Minute
	slowExits, slowWindow   = 3, time.Hour
	// maxSteady bounds how long a slow loop has to run before it is over.
	maxSteady = 2 * time.Hour
	// maxExits is how many ends are remembered, more than any window asks for.
	maxExits = 8
	// maxHistory and historyWindow bound the ends that are kept to be shown.
	maxHistory, historyWindow = 32, 24 * time.Hour
)

// instance is the state machine of one instance.
type instance struct {
	Observation
	exits     []time.Time // Those that nobody wanted, the newest last.
	history   []End       // The same for longer, to be shown.
	looping   bool
	diagnosis Diagnosis
	blames    []string // What the diagnosis may name as what is missing.
	restarts  map[Cause]uint64
	// undiagnosed counts ends that have no cause yet.
	undiagnosed uint64
	// credit is how many ends were counted before the platform counted the
	// restart that follows.
	credit int
	// changed says that the diagnosis is of an earlier condition.
	changed bool
	// logAt is when the log was last asked for.
	logAt time.Time
}

// observe takes o over, and reports whether there is something to settle.
func (in *instance) observe(o Observation, first bool, now time.Time) bool {
	before := in.Observation
	in.Observation = o
	if first {
		if o.Exit != nil && !o.Exit.Wanted && now.Sub(o.Exit.At) < slowWindow {
			in.ended(o.Exit.At)
		}
		return o.Condition != Running && o.Condition != Waiting || len(in.exits) > 0
	}
	if n := in.newExits(before); n > 0 && !(o.Exit != nil && o.Exit.Wanted) {
		in.undiagnosed += uint64(n)
		at := now
		if o.Exit != nil && !o.Exit.At.IsZero() {
			at = o.Exit.At
		}
		in.ended(at)
		return true
	}
	in.changed = in.changed || o.Reason != before.Reason || o.Probe != before.Probe || o.NodeLost != before.NodeLost
	return in.changed || in.looping || o.Condition != before.Condition
}

func (in *instance) ended(at time.Time) {
	in.exits = slices.DeleteFunc(append(in.exits, at), func(t time.Time) bool { return at.Sub(t) > slowWindow })
	if len(in.exits) > maxExits {
		in.exits = slices.Delete(in.exits, 0, len(in.exits)-maxExits)
	}
	end := End{At: at, Unseen: true}
	if e := in.Exit; e != nil && (e.At.IsZero() || e.At.Equal(at)) {
		end = End{At: at, Code: e.Code, Signal: e.signal(), Unseen: e.Unseen}
	}
	in.history = slices.DeleteFunc(append(in.history, end), func(e End) bool { return at.Sub(e.At) > historyWindow })
	if len(in.history) > maxHistory {
		in.history = slices.Delete(in.history, 0, len(in.history)-maxHistory)
	}
}

// explain notes the cause of the ends that have none yet.
func (in *instance) explain(c Cause) {
	for i := len(in.history) - 1; i >= 0 && in.history[i].Cause == ""; i-- {
		in.history[i].Cause = c
	}
}

// newExits is how many ends of the process there were since before. An end is
// seen when it happens and again when the platform counts the restart; in
//
//	end seen       restarts 0   1 new, 1 credit
//	start seen     restarts 1   0 new, the credit is used
//	both missed    restarts 3   2 new
//
// the first two lines are one end.
func (in *instance) newExits(before Observation) int {
	restarts := in.Restarts - before.Restarts
	if restarts < 0 { // Started by hand, which resets the platform's count.
		in.credit, restarts = 0, 0
	}
	ended := 0
	if in.Exit != nil && (before.Exit == nil || in.Exit.At.After(before.Exit.At)) {
		ended = 1
	}
	n := max(restarts-in.credit, ended)
	in.credit = max(0, in.credit+ended-restarts)
	return n
}

// decide runs the loop's part of the state machine.
func (in *instance) decide(critical bool, steady time.Duration, now time.Time) {
	if in.fails(critical, now) {
		in.looping = true
		return
	}
	if !in.looping {
		return
	}
	switch in.Condition {
	case Stopped, Failed:
		in.looping = false
	case Running:
		if now.Sub(in.runningSince()) >= in.steady(steady) {
			in.looping = false
			in.exits = nil
		}
	}
}

// fails reports whether what is known now is a loop or a failure.
func (in *instance) fails(critical bool, now time.Time) bool {
	switch in.Condition {
	case BackingOff, Blocked, GaveUp:
		return true
	case Failed:
		return critical && len(in.exits) > 0 && now.Sub(in.exits[len(in.exits)-1]) < quickWindow
	case Stopped:
		return false
	}
	if in.NodeLost {
		return true
	}
	quick, slow := 0, 0
	for _, at := range in.exits {
		if now.Sub(at) < quickWindow {
			quick++
		}
		if now.Sub(at) < slowWindow {
			slow++
		}
	}
	if in.looping {
		return false // Whether it is over is a matter of running steadily.
	}
	return quick >= quickExits || slow >= slowExits || critical && quick > 0
}

// runningSince is when the present run began.
func (in *instance) runningSince() time.Time {
	since := in.Since
	if n := len(in.exits); n > 0 && in.exits[n-1].After(since) {
		since = in.exits[n-1]
	}
	return since
}

// steady is how long a run has to last. One that crashes every eleven minutes is
// not well after ten.
func (in *instance) steady(least time.Duration) time.Duration {
	n := len(in.exits)
	if n < 2 {
		return least
	}
	return min(max(least, 2*in.exits[n-1].Sub(in.exits[n-2])), max(least, maxSteady))
}

// recent reports whether time can still change what is decided.
func (in *instance) recent(now time.Time) bool {
	n := len(in.exits)
	return in.looping || n > 0 && now.Sub(in.exits[n-1]) < quickWindow
}

func (in *instance) state() State {
	switch in.Condition {
	case Running:
		if in.looping {
			return StateRecovering
		}
		return StateRunning
	case Restarting:
		if in.looping && len(in.exits) >= quickExits {
			return StateBackingOff
		}
		return StateRestarting
	case BackingOff:
		return StateBackingOff
	case Blocked:
		return StateBlocked
	case GaveUp:
		return StateGaveUp
	case Failed:
		return StateFailed
	case Stopped:
		return StateStopped
	}
	return StateStarting
}

// down reports whether who needs this instance can miss it.
func (in *instance) down(now time.Time) bool {
	switch in.Condition {
	case Restarting, BackingOff, Blocked, GaveUp:
		return true
	case Running:
		n := len(in.exits)
		return in.NodeLost || in.looping || n > 0 && now.Sub(in.exits[n-1]) < time.Minute
	}
	return false
}

// throttled is the share of time in which a CPU limit held the instance back.
func (in *instance) throttled() *float64 {
	if ratio, ok := in.CPU.Ratio(); ok {
		return &ratio
	}
	return nil
}

// unexplained reports whether something has happened that has no cause yet.
func (in *instance) unexplained() bool {
	explained := in.diagnosis.Cause != "" && in.undiagnosed == 0 && !in.changed
	return !explained && (in.undiagnosed > 0 || in.Exit != nil || in.Condition == Blocked || in.Condition == BackingOff || in.Condition == GaveUp || in.NodeLost)
}

// needsLog reports whether the end has to be explained and the log can help.
func (in *instance) needsLog(now time.Time) bool {
	if in.Exit == nil || in.Condition == Blocked {
		return false
	}
	if in.undiagnosed == 0 && in.diagnosis.Cause != "" {
		return false
	}
	return in.diagnosis.Cause == "" || in.diagnosis.Cause == Unknown || now.Sub(in.logAt) > time.Minute
}
