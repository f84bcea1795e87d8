package services

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Cause is why an instance does not stay up.
type Cause string

// The causes. They are values of the label cause.
const (
	Resource      Cause = "resource"      // Memory, disk, processes, files.
	Configuration Cause = "configuration" // It cannot work as it is set up.
	Dependency    Cause = "dependency"    // What it needs does not answer.
	Image         Cause = "image"         // The image cannot be had.
	Probe         Cause = "probe"         // A probe or watchdog ended it.
	Node          Cause = "node"          // The machine is gone.
	Crash         Cause = "crash"         // A mistake in the program.
	Unknown       Cause = "unknown"
)

// Diagnosis is a cause with what shows it.
type Diagnosis struct {
	Cause Cause `json:"cause"`
	// Finding says in a few words what was found.
	Finding string `json:"finding"`
	// Evidence are the lines that show it, secrets masked.
	Evidence []string `json:"evidence,omitempty"`
}

const (
	// MaxLogBytes is as much of the end of a log as is looked at.
	MaxLogBytes = 64 << 10
	// maxLines and maxLineBytes bound what of it is matched.
	maxLines     = 200
	maxLineBytes = 400
	// maxEvidence is how many lines an alert carries.
	maxEvidence = 5
)

// Diagnose finds the cause of what o shows, given the end of the log of the run
// that ended. The steps are in the order of trust: what the platform knows,
// what the program said of itself, what its end looks like.
func Diagnose(o Observation, log []byte) Diagnosis {
	lines := lastLines(log)
	for _, step := range steps {
		if d, found := step(o, lines); found {
			d.Evidence = append(d.Evidence, tail(lines, maxEvidence-len(d.Evidence), d.Evidence)...)
			return d
		}
	}
	return Diagnosis{Cause: Unknown, Finding: ending(o), Evidence: tail(lines, maxEvidence, nil)}
}

// ending is the end of the process in words.
func ending(o Observation) string {
	switch e := o.Exit; {
	case e == nil && o.Reason != "":
		return o.Reason
	case e == nil:
		return "no end of the process was seen"
	case e.Unseen:
		return "it has ended, and nobody saw how"
	case e.signal() != 0:
		return fmt.Sprintf("ended by signal %d", e.signal())
	default:
		return fmt.Sprintf("exited with code %d", e.Code)
	}
}

// fromLog returns a step that looks for rules in the log. The last line that
// matches one decides: what went wrong earlier was overcome.
func fromLog(rules []logRule) step {
	return func(o Observation, lines []string) (Diagnosis, bool) {
		for i := len(lines) - 1; i >= 0; i-- {
			for _, r := range rules {
				if r.pattern.MatchString(lines[i]) {
					return Diagnosis{Cause: r.cause, Finding: r.finding, Evidence: lines[i:min(i+3, len(lines))]}, true
				}
			}
		}
		return Diagnosis{}, false
	}
}

// fromStatus returns a step that asks rules of what the platform says.
func fromStatus(rules []statusRule) step {
	return func(o Observation, _ []string) (Diagnosis, bool) {
		for _, r := range rules {
			if !r.match(o) {
				continue
			}
			d := Diagnosis{Cause: r.cause, Finding: r.finding}
			for _, text := range statusTexts(o) {
				d.Evidence = append(d.Evidence, clean(text))
			}
			return d, true
		}
		return Diagnosis{}, false
	}
}

// statusTexts are the messages that come with the status, the nearest first.
func statusTexts(o Observation) []string {
	var texts []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && len(texts) < 3 {
			texts = append(texts, text)
		}
	}
	add(o.Message)
	if o.Exit != nil {
		add(o.Exit.Message)
	}
	add(o.Probe)
	if ratio, _ := o.CPU.Ratio(); throttled(o) {
		add(fmt.Sprintf("its CPU limit held it back in %.0f %% of the periods in which it wanted to run", 100*ratio))
	}
	return texts
}

// lastLines splits the end of a log into lines that can be shown.
func lastLines(log []byte) []string {
	if len(log) > MaxLogBytes {
		log = log[len(log)-MaxLogBytes:]
	}
	var lines []string
	for len(log) > 0 && len(lines) < maxLines {
		rest, line := []byte(nil), log
		if i := bytes.LastIndexByte(log, '\n'); i >= 0 {
			rest, line = log[:i], log[i+1:]
		}
		log = rest
		if text := clean(string(line)); text != "" {
			lines = append(lines, text)
		}
	}
	slices.Reverse(lines)
	return lines
}

// tail returns the last n lines that are not among those taken already.
func tail(lines []string, n int, taken []string) []string {
	var out []string
	for _, line := range lines[max(0, len(lines)-max(0, n)):] {
		if !slices.Contains(taken, line) {
			out = append(out, line)
		}
	}
	return out
}

// clean makes one line of foreign text fit to be shown: bounded, printable,
// without secrets.
func clean(line string) string {
	if len(line) > 4*maxLineBytes {
		line = line[:4*maxLineBytes]
	}
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f || r == '\uFFFD':
			return -1
		}
		return r
	}, strings.ToValidUTF8(ansi.ReplaceAllString(line, ""), ""))
	line = strings.TrimSpace(Mask(line))
	if len(line) > maxLineBytes {
		line = strings.ToValidUTF8(line[:maxLineBytes], "") + "…"
	}
	return line
}
