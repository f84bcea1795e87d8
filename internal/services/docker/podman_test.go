package docker_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// conmonWrapper makes conmon 2.1 leave its mark of an OOM where podman 4.3 looks
// for it: in the bundle, which is the argument of -b.
const conmonWrapper = `#!/bin/sh
p=
for a; do
	[ "$p" = -b ] && cd "$a"
	p=$a
done
exec %s "$@"
`

// startPodman starts podman's service with a state of its own. The settings are
// those that it needs on machines with both versions of cgroups and without
// CAP_SYS_RESOURCE.
func startPodman(t *testing.T) *daemon {
	t.Helper()
	conmon, _ := exec.LookPath("conmon") // An empty path is named below.
	for _, program := range []string{"podman", "runc", "conmon"} {
		if _, err := exec.LookPath(program); err != nil {
			skip(t, program+" (packages podman, runc)")
		}
	}
	if os.Getuid() != 0 {
		skip(t, "root, which this setting of podman needs")
	}
	d := newDaemon(t)
	in := func(name string) string { return filepath.Join(d.dir, name) }
	files := map[string]string{
		"conmon": fmt.Sprintf(conmonWrapper, conmon),
		"containers.conf": fmt.Sprintf(`[containers]
default_ulimits = ["nofile=4096:4096","nproc=4096:4096"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = %q
conmon_path = [%q]
[network]
network_backend = "cni"
`, in("tmp"), in("conmon")),
		"Containerfile": "FROM scratch\nCOPY crash /crash\nENTRYPOINT [\"/crash\"]\n",
		"storage.conf":  fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", in("root"), in("run")),
	}
	for name, text := range files {
		if err := os.WriteFile(in(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.cmd = exec.Command("podman", "system", "service", "-t", "0", d.address())
	d.cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+in("containers.conf"), "CONTAINERS_STORAGE_CONF="+in("storage.conf"))
	var log bytes.Buffer
	d.cmd.Stdout, d.cmd.Stderr = &log, &log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.stop()
		remove := exec.Command("podman", "rm", "--all", "--force", "--time", "0")
		remove.Env = d.cmd.Env
		if out, err := remove.CombinedOutput(); err != nil {
			t.Logf("podman rm: %v\n%s", err, out)
		}
		// It leaves a mount that keeps the directory from being removed.
		_ = syscall.Unmount(in("root/overlay"), syscall.MNT_DETACH)
	})
	d.await(&log)
	d.compile()
	build := exec.Command("podman", "build", "-q", "-t", "crash:1", d.dir)
	build.Env = d.cmd.Env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("podman build: %v\n%s", err, out)
	}
	d.name = "localhost/crash:1" // The API would look for the short name in Docker's registry.
	return d
}

func TestRealPodman(t *testing.T) {
	d := startPodman(t)
	d.run("early", "run", `"RestartPolicy":{"Name":"always"}`)
	b := watch(t, d.address())
	b.sees()
	b.eventually("what ran before is seen", func() bool { return b.status("early").State == services.StateRunning })

	d.run("feed", "refused", `"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":4}`)
	in := b.until("service/docker//feed/", func(services.Incident) bool { return b.status("feed").State == services.StateGaveUp })
	if in.Annotations["cause"] != "dependency" || !strings.Contains(in.Annotations["evidence"], "orders-db:5432") {
		t.Errorf("got %v, want the database that refuses", in.Annotations)
	}
	if s := b.status("feed"); s.Restarts != 4 || s.LastExit == nil || s.LastExit.Code != 1 {
		t.Errorf("got %+v with exit %+v, want 4 restarts with exit 1", s, s.LastExit)
	}

	d.run("hog", "oom", `"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":2},"Memory":67108864,"MemorySwap":67108864`)
	b.until("service/docker//hog/", func(services.Incident) bool { return b.status("hog").State == services.StateGaveUp })
	if s := b.status("hog"); s.LastExit.Code != 3 && (s.Diagnosis == nil || s.Diagnosis.Cause != services.Resource) { // 3 where limits are not enforced.
		t.Errorf("got %+v with exit %+v, want an OOM", s, s.LastExit)
	}

	d.run("calm", "run", `"RestartPolicy":{"Name":"always"}`)
	b.eventually("it runs", func() bool { return b.status("calm").State == services.StateRunning })
	d.post("/containers/calm/stop?t=1", "application/json", nil)
	b.eventually("it has stopped", func() bool { return b.status("calm").State == services.StateStopped })
	if s := b.status("calm"); s.Failing || len(s.Ends) > 0 {
		t.Errorf("got %s, failing %v, ends %v; want no trouble", s.State, s.Failing, s.Ends)
	}
	b.mu.Lock()
	if b.ever["service/docker//calm/"] {
		t.Error("got an incident for a container that was stopped by hand")
	}
	b.mu.Unlock()
	d.remove("calm")
	b.eventually("it is forgotten", func() bool { return b.status("calm").Instance == "" })

	d.halt()
	b.eventually("the watcher is blind", func() bool { return !b.Overview().Watchers[0].Sees })
	if s := b.status("feed"); s.State != services.StateGaveUp || time.Since(s.LastExit.At) > time.Hour {
		t.Errorf("got %+v, want what was seen last", s)
	}
}
