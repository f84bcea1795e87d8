package services

import "time"

// Platform is what starts services and starts them again.
type Platform string

// The platforms that have a watcher.
const (
	Kubernetes Platform = "kubernetes"
	Systemd    Platform = "systemd"
	Docker     Platform = "docker"
	// Process is nobody: groups of processes that are started by hand, a script
	// or a supervisor without a watcher.
	Process Platform = "process"
)

// ServiceKey names a service. Its instances share an incident.
type ServiceKey struct {
	Platform Platform `json:"platform"`
	// Namespace is Kubernetes' namespace or Compose's project; systemd has none.
	Namespace string `json:"namespace,omitempty"`
	// Service is the workload, the Compose service or the unit.
	Service string `json:"service"`
	// Container tells the containers of a pod apart.
	Container string `json:"container,omitempty"`
}

// Key names one instance of a service: a container of a pod, a container, a unit.
type Key struct {
	ServiceKey
	Instance string `json:"instance"`
}

// Condition is what the platform says of an instance now.
type Condition int

const (
	// Waiting is before the first start, with nothing wrong yet.
	Waiting Condition = iota
	// Running says that the process runs.
	Running
	// Restarting says that it has ended and starts again.
	Restarting
	// BackingOff says that the platform delays the next start, because of what
	// happened before.
	BackingOff
	// Blocked says that the platform cannot start it.
	Blocked
	// GaveUp says that it has failed and nobody starts it again.
	GaveUp
	// Failed says that it has failed for good and another instance takes over, or
	// none is meant to.
	Failed
	// Stopped says that it has ended as it was meant to.
	Stopped
)

// Observation is all that a platform knows of an instance now. Watchers send
// it whole, whenever something may have changed.
type Observation struct {
	Key
	Condition Condition
	// Since is when the condition began; zero if the platform does not say.
	Since time.Time
	// Critical is the label or annotation of that meaning.
	Critical bool
	Node     string
	// Image and Config change when somebody changes what runs.
	Image, Config string
	// DependsOn names services that this one is declared to need.
	DependsOn []string
	// Restarts is the platform's own count.
	Restarts int
	// Exit is the last end of the process; nil if it never ended.
	Exit *Exit
	// Reason and Message say in the platform's words why it does not run.
	Reason, Message string
	// NextRestart is when the platform will try again; zero if it does not say.
	NextRestart time.Time
	// Probe is the message of a probe or health check that fails.
	Probe string
	// NodeLost says that the node has not been heard of.
	NodeLost bool
	// MemoryLimit in bytes, 0 if there is none.
	MemoryLimit int64
	// CPU says how its CPU limit has held it back; nil if there is no limit or
	// nobody can tell.
	CPU *Throttling
	// Phase is that of a pod, set for one of its containers.
	Phase string
}

// Exit is one end of a process.
type Exit struct {
	Code   int
	Signal int
	// Reason is the platform's word: OOMKilled, Error, core-dump.
	Reason  string
	Message string
	// OOM says that the kernel ended it for its memory.
	OOM bool
	// Unseen says that nobody saw how it ended: Code and Signal say nothing.
	Unseen bool
	// Wanted says that somebody stopped it.
	Wanted    bool
	StartedAt time.Time
	At        time.Time
}

// signal is what ended the process, from the exit code if need be.
func (e Exit) signal() int {
	if e.Signal == 0 && e.Code > 128 && e.Code < 160 {
		return e.Code - 128
	}
	return e.Signal
}

// State is what the state machine makes of an instance.
type State string

// The states of an instance.
const (
	StateStarting   State = "starting"
	StateRunning    State = "running"
	StateRestarting State = "restarting"
	StateBackingOff State = "backing_off"
	StateBlocked    State = "blocked"
	StateGaveUp     State = "gave_up"
	StateFailed     State = "failed"
	StateRecovering State = "recovering" // Runs again, not yet for long enough.
	StateStopped    State = "stopped"
)
