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
	d := Diagnosis{Cause: Unknown, Finding: ending(o)}
	for _, step := range steps {
		if found, ok := step(o, lines); ok {
			d = found
			break
		}
	}
	shown := make([]string, 0, maxEvidence)
	for _, text := range d.Evidence {
		shown = append(shown, clean(text))
	}
	for _, l := range lines[max(0, len(lines)-maxEvidence+len(shown)):] {
		if text := clean(l.text); !slices.Contains(shown, text) {
			shown = append(shown, text)
		}
	}
	d.Evidence = shown
	return d
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
	return func(_ Observation, log []line) (Diagnosis, bool) {
		for i, l := range slices.Backward(log) {
			if l.frame {
				continue
			}
			for _, r := range rules {
				if r.matches(l) {
					return Diagnosis{Cause: r.cause, Finding: r.finding, Evidence: from(log, i)}, true
				}
			}
		}
		return Diagnosis{}, false
	}
}

// traced finds a crash where of a long stack trace only the frames are left.
func traced(_ Observation, log []line) (Diagnosis, bool) {
	if i := slices.IndexFunc(log, func(l line) bool { return l.frame }); i >= 0 {
		return Diagnosis{Cause: Crash, Finding: "it ended with an error of its own", Evidence: from(log, i)}, true
	}
	return Diagnosis{}, false
}

// from returns the line i and what follows it at once.
func from(log []line, i int) (texts []string) {
	for _, l := range log[i:min(i+3, len(log))] {
		texts = append(texts, l.text)
	}
	return texts
}

// fromStatus returns a step that asks rules of what the platform says.
func fromStatus(rules []statusRule) step {
	return func(o Observation, _ []line) (Diagnosis, bool) {
		for _, r := range rules {
			if r.match(o) {
				return Diagnosis{Cause: r.cause, Finding: r.finding, Evidence: statusTexts(o)}, true
			}
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

// lastLines splits the end of a log.
func lastLines(log []byte) []line {
	log = wholeLines(log)
	var lines []line
	key := false // Inside of a private key.
	for len(log) > 0 && len(lines) < maxLines {
		var last []byte
		if i := bytes.LastIndexByte(log, '\n'); i >= 0 {
			log, last = log[:i], log[i+1:]
		} else {
			log, last = nil, log
		}
		if bytes.Contains(last, []byte("PRIVATE KEY-----")) {
			key = bytes.Contains(last, []byte("-----END")) && !bytes.Contains(last, []byte("-----BEGIN"))
		} else if key {
			continue
		}
		if l := newLine(last); l.text != "" {
			lines = append(lines, l)
		}
	}
	slices.Reverse(lines)
	return lines
}

// wholeLines drops what was cut off at the front, in which the name of a secret
// may be missing. Of a line that has no end, three words are: token = value.
func wholeLines(log []byte) []byte {
	if len(log) < MaxLogBytes {
		return log
	}
	log = log[len(log)-MaxLogBytes:]
	if i := bytes.IndexByte(log, '\n'); i >= 0 && len(bytes.TrimSpace(log[i:])) > 0 {
		return log[i+1:]
	}
	for range 3 {
		_, rest, found := bytes.Cut(log, []byte(" "))
		if !found {
			return nil
		}
		log = rest
	}
	return log
}

// clean makes one line of foreign text fit to be shown: bounded, printable,
// without secrets.
func clean(text string) string {
	text = strings.TrimSpace(Mask(printable(text)))
	if len(text) > maxLineBytes {
		text = strings.ToValidUTF8(text[:maxLineBytes], "") + "…"
	}
	return text
}

// printable is the beginning of a line, without what terminals obey. It is longer
// than what is shown, so that a secret in it is seen whole.
func printable(text string) string {
	if len(text) > 4*maxLineBytes {
		text = text[:4*maxLineBytes]
		// A secret that was cut looks like none.
		text = text[:max(0, strings.LastIndexByte(text, ' '))]
	}
	if strings.Contains(text, "\x1b") {
		text = ansi.ReplaceAllString(text, "")
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f || r == '\uFFFD':
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
}
