package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// portHolder names the process that listens on a TCP port, or returns "" where
// that cannot be found out: no /proc, or a process of another user.
func portHolder(port int) string {
	sockets := listeningSockets(port)
	if len(sockets) == 0 {
		return ""
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !sockets[target] {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// listeningSockets returns the names that /proc/PID/fd links have for sockets
// listening on the port.
func listeningSockets(port int) map[string]bool {
	const listening = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	out := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == listening {
				out["socket:["+f[9]+"]"] = true
			}
		}
	}
	return out
}
