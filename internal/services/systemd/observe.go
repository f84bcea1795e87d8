package systemd

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// The ways to end of ExecMainCode, from waitid(2).
const cldExited = 1

// steps are what systemd could not do before it executed a command, by the status
// that it reports in the command's place; systemd.exec(5), "Process Exit Codes".
var steps = map[int]string{
	200: "CHDIR, the working directory cannot be entered",
	203: "EXEC, the command cannot be executed: it is not there, or not executable",
	208: "STDIN, standard input cannot be set up",
	209: "STDOUT, standard output cannot be set up",
	216: "GROUP, the group does not exist",
	217: "USER, the user does not exist",
	218: "CAPABILITIES, the capabilities cannot be dropped or given",
	226: "NAMESPACE, a path or mount that the unit names cannot be set up",
	228: "SECCOMP, the filter of system calls cannot be applied",
	233: "RUNTIME_DIRECTORY, the directory cannot be made",
	238: "STATE_DIRECTORY, the directory cannot be made",
	239: "CACHE_DIRECTORY, the directory cannot be made",
	240: "LOGS_DIRECTORY, the directory cannot be made",
	241: "CONFIGURATION_DIRECTORY, the directory cannot be made",
	243: "CREDENTIALS, a credential cannot be read",
}

// observe makes an observation of a unit's properties. It is false while the
// unit is between two states and the next signal will say more.
func (w *Watcher) observe(path dbus.ObjectPath, key services.Key, u, s map[string]dbus.Variant) (services.Observation, bool) {
	restart := get[string](s, "Restart")
	o := services.Observation{
		Key:         key,
		Restarts:    int(get[uint32](s, "NRestarts")),
		MemoryLimit: limit(get[uint64](s, "MemoryMax")),
	}
	o.CPU = w.cpuLimit(path, s)
	for _, name := range append(get[[]string](u, "Requires"), get[[]string](u, "BindsTo")...) {
		if strings.HasSuffix(name, ".service") {
			o.DependsOn = append(o.DependsOn, name)
		}
	}
	sub, outcome := get[string](u, "SubState"), get[string](s, "Result")
	switch get[string](u, "ActiveState") {
	case "active", "reloading", "refreshing":
		o.Condition, o.Since = services.Running, at(u, "ActiveEnterTimestamp")
	case "activating":
		o.Condition = services.Waiting
		if strings.HasPrefix(sub, "auto-restart") {
			o.Condition = services.Restarting
			delay := cmp.Or(get[uint64](s, "RestartUSecNext"), get[uint64](s, "RestartUSec"))
			o.NextRestart = at(u, "StateChangeTimestamp").Add(time.Duration(min(delay, math.MaxInt64/1000)) * time.Microsecond)
		} else if o.Restarts > 0 {
			o.Condition = services.Restarting
		}
	case "failed":
		o.Condition = services.Failed
		if restart != "" && restart != "no" {
			o.Condition = services.GaveUp // The start limit, whatever the result says.
		}
	case "inactive":
		o.Condition = services.Stopped
	default:
		return o, false
	}
	if when := at(s, "ExecMainExitTimestamp"); !when.IsZero() && o.Condition != services.Running {
		e := &services.Exit{Reason: outcome, At: when, StartedAt: at(s, "ExecMainStartTimestamp"), Wanted: o.Condition == services.Stopped}
		if get[int32](s, "ExecMainCode") == cldExited {
			e.Code = int(get[int32](s, "ExecMainStatus"))
			if step := steps[e.Code]; step != "" {
				e.Message = fmt.Sprintf("status=%d: %s", e.Code, step)
			}
		} else {
			e.Signal = int(get[int32](s, "ExecMainStatus"))
		}
		e.OOM = outcome == "oom-kill"
		// The result is read a moment after the state, and may be the older one.
		if before := w.exits[path]; before != nil && before.At.Equal(when) && outcome == "success" {
			e.Reason, e.OOM = before.Reason, before.OOM
		}
		w.exits[path] = e
	}
	if e := w.exits[path]; e != nil {
		o.Exit = new(*e)
	}
	return o, true
}

// cpuLimit notes whether a CPU limit can hold the unit back, and returns how it
// has done so. What was seen of a run is kept until the next one.
func (w *Watcher) cpuLimit(path dbus.ObjectPath, s map[string]dbus.Variant) *services.Throttling {
	if quota := get[uint64](s, "CPUQuotaPerSecUSec"); quota == 0 || quota == math.MaxUint64 {
		delete(w.limited, path)
		return nil
	}
	l := w.limited[path]
	if l == nil {
		l = &limited{}
		w.limited[path] = l
	}
	l.group = get[string](s, "ControlGroup")
	return l.samples.Window()
}

// get reads a property, and is zero if this systemd does not have it.
func get[T any](m map[string]dbus.Variant, name string) T {
	value, _ := m[name].Value().(T)
	return value
}

// at reads a time of day in microseconds.
func at(m map[string]dbus.Variant, name string) time.Time {
	usec := get[uint64](m, name)
	if usec == 0 || usec > math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMicro(int64(usec))
}

// limit is 0 for systemd's infinity.
func limit(bytes uint64) int64 {
	if bytes >= math.MaxInt64 {
		return 0
	}
	return int64(bytes)
}
