package rulefile

import (
	"fmt"
	"slices"
	"strings"
)

// contextLines stand around each change of a diff.
const contextLines = 3

// chunk is a run of lines that become others.
type chunk struct {
	from, to int // lines of the old text, half open
	now      []string
}

// unified returns what splices do to a text in the form of diff -u. The splices
// say where the lines differ: nothing has to be searched for.
func unified(name string, text []byte, splices []splice) string {
	old := splitLines(string(text))
	chunks := chunksOf(old, splices)
	if len(chunks) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", name, name)
	shift := 0
	for len(chunks) > 0 {
		n := 1
		for n < len(chunks) && chunks[n].from-chunks[n-1].to <= 2*contextLines {
			n++
		}
		shift = hunk(&b, old, chunks[:n], shift)
		chunks = chunks[n:]
	}
	return b.String()
}

// hunk writes neighbouring chunks; shift is how many lines the new text is ahead.
func hunk(b *strings.Builder, old []string, chunks []chunk, shift int) int {
	from := max(0, chunks[0].from-contextLines)
	to := min(len(old), chunks[len(chunks)-1].to+contextLines)
	var body strings.Builder
	grown, at := 0, from
	for _, c := range chunks {
		writeLines(&body, " ", old[at:c.from])
		writeLines(&body, "-", old[c.from:c.to])
		writeLines(&body, "+", c.now)
		grown += len(c.now) - (c.to - c.from)
		at = c.to
	}
	writeLines(&body, " ", old[at:to])
	fmt.Fprintf(b, "@@ -%s +%s @@\n%s", span(from, to-from), span(from+shift, to-from+grown), body.String())
	return shift + grown
}

// span counts lines from 1, and from 0 where there are none.
func span(from, count int) string {
	if count > 0 {
		from++
	}
	return fmt.Sprintf("%d,%d", from, count)
}

func writeLines(b *strings.Builder, mark string, lines []string) {
	for _, line := range lines {
		b.WriteString(mark + line)
		if !strings.HasSuffix(line, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// chunksOf widens splices to whole lines, and takes from both ends what stays.
func chunksOf(old []string, splices []splice) []chunk {
	starts := []int{0}
	for _, line := range old {
		starts = append(starts, starts[len(starts)-1]+len(line))
	}
	var chunks []chunk
	text := strings.Join(old, "")
	open := text != "" && !strings.HasSuffix(text, "\n")
	for i := 0; i < len(splices); {
		from := lineOf(starts, splices[i].start, open)
		end := endLine(starts, splices[i], open)
		n := i + 1
		for n < len(splices) && lineOf(starts, splices[n].start, open) < end {
			end = max(end, endLine(starts, splices[n], open))
			n++
		}
		begin := starts[from]
		var moved []splice
		for _, s := range splices[i:n] {
			moved = append(moved, splice{s.start - begin, s.end - begin, s.text})
		}
		now := splitLines(string(apply([]byte(text[begin:starts[end]]), moved)))
		if c, changes := trim(old, chunk{from, end, now}); changes {
			chunks = join(chunks, c)
		}
		i = n
	}
	return chunks
}

// join makes one chunk of two that touch.
func join(chunks []chunk, c chunk) []chunk {
	if n := len(chunks) - 1; n >= 0 && chunks[n].to == c.from {
		chunks[n].to, chunks[n].now = c.to, append(chunks[n].now, c.now...)
		return chunks
	}
	return append(chunks, c)
}

func trim(old []string, c chunk) (chunk, bool) {
	for c.from < c.to && len(c.now) > 0 && old[c.from] == c.now[0] {
		c.from, c.now = c.from+1, c.now[1:]
	}
	for c.from < c.to && len(c.now) > 0 && old[c.to-1] == c.now[len(c.now)-1] {
		c.to, c.now = c.to-1, c.now[:len(c.now)-1]
	}
	return c, c.from < c.to || len(c.now) > 0
}

// lineOf is the line of a byte. What comes after a last line without an end
// belongs to it.
func lineOf(starts []int, at int, open bool) int {
	line, _ := slices.BinarySearchFunc(starts, at, func(start, at int) int {
		if start <= at {
			return -1
		}
		return 1
	})
	line--
	if open && line == len(starts)-1 {
		line--
	}
	return max(line, 0)
}

// endLine is the first line after a splice. One that ends or begins with a line
// touches no other.
func endLine(starts []int, s splice, open bool) int {
	line := lineOf(starts, s.end, open)
	if starts[line] == s.end && starts[lineOf(starts, s.start, open)] == s.start && (s.text == "" || strings.HasSuffix(s.text, "\n")) {
		return line
	}
	return min(line+1, len(starts)-1)
}

// splitLines keeps the line ends. Only \n ends a line here, as in patch(1).
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
