package app

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram lets go of the pages of the program that only the start needed:
// the kernel maps those around every page that is touched, half of the binary in
// the end, and counts them as ours. They stay in its cache, and those that are
// needed come back when they are.
func releaseProgram() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer file.Close()
	clean, err := cleanMappings(file, path)
	if err != nil {
		return err
	}
	for _, m := range clean {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("let go of %x-%x: %w", m.from, m.to, errno)
		}
	}
	return nil
}

// mapping is a range of addresses, without the last.
type mapping struct{ from, to uintptr }

// cleanMappings reads /proc/self/smaps and returns where the file at path is mapped
// as it is on disk. What cannot be written may have been written before, by a
// dynamic linker: letting go of that would lose it.
func cleanMappings(smaps io.Reader, path string) ([]mapping, error) {
	var clean []mapping
	var current mapping
	var ours bool
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		key, value, _ := strings.Cut(line, " ")
		switch {
		case !strings.HasSuffix(key, ":"):
			if _, err := fmt.Sscanf(key, "%x-%x", &current.from, &current.to); err != nil {
				return nil, fmt.Errorf("read the mapping %q: %w", line, err)
			}
			ours = strings.HasSuffix(value, " "+path) && value[:2] == "r-"
		case ours && key == "Anonymous:" && strings.TrimSpace(value) == "0 kB":
			clean = append(clean, current)
		}
	}
	return clean, lines.Err()
}
