package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// podmanConfig is what Podman needs on machines with both versions of control
// groups and without CAP_SYS_RESOURCE, with the directory of its files.
const podmanConfig = `[containers]
default_ulimits = ["nofile=4096:4096","nproc=4096:4096"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "%[1]s/tmp"
[network]
network_backend = "cni"
`

// startPodman starts Podman's service with a state of its own and an image of
// this program. The error is errMissing where the machine cannot have one.
func startPodman(ctx context.Context) (d *daemon, err error) {
	for _, program := range []string{"podman", "runc", "conmon"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w: %s (Debian: apt install podman runc)", errMissing, program)
		}
	}
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: root, which Podman needs with these settings", errMissing)
	}
	d, err = newDaemon()
	if err != nil {
		return nil, err
	}
	d.image = "localhost/bench:1" // The API would look for the short name in Docker's registry.
	in := func(name string) string { return filepath.Join(d.dir, name) }
	env := []string{"CONTAINERS_CONF=" + in("containers.conf"), "CONTAINERS_STORAGE_CONF=" + in("storage.conf")}
	podman := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "podman", args...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("podman %s: %w\n%s", args[0], err, out)
		}
		return nil
	}
	d.clean = func() error {
		err := podman("rm", "--all", "--force", "--time", "0")
		// A mount that it leaves would keep the directory.
		_ = syscall.Unmount(in("root/overlay"), syscall.MNT_DETACH)
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	for name, text := range map[string]string{
		"containers.conf": fmt.Sprintf(podmanConfig, d.dir),
		"storage.conf":    fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", in("root"), in("run")),
		"Containerfile":   fmt.Sprintf("FROM scratch\nCOPY bench /bench\nENTRYPOINT [\"/bench\", %q]\n", runCommand),
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			return d, err
		}
	}
	if err := copySelf(in("bench")); err != nil {
		return d, err
	}
	if err := podman("build", "-q", "-t", "bench:1", d.dir); err != nil {
		return d, err
	}
	d.child, err = startChild("podman", d.dir, append(append([]string{"env"}, env...), "podman", "system", "service", "-t", "0", d.address()))
	if err != nil {
		return d, err
	}
	return d, d.awaitAnswer(ctx)
}

// copySelf writes this program, which has to be a static one, to a file.
func copySelf(to string) error {
	self, err := executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, from)
	return errors.Join(err, w.Close())
}
