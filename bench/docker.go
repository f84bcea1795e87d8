package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runCommand makes this program the one that containers run: it waits to be
// killed.
const runCommand = "run-until-killed"

// A daemon is a dockerd of its own, with neither network nor firewall, or Podman's
// service of the same API.
type daemon struct {
	*child
	dir    string
	image  string
	client *http.Client
	clean  func() error // What is left to do when it has ended; nil if nothing.
}

func newDaemon() (*daemon, error) {
	// A short path: a unix socket's has about a hundred bytes.
	dir, err := os.MkdirTemp("/tmp", "hwb")
	if err != nil {
		return nil, err
	}
	return &daemon{dir: dir, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "docker.sock"))
		},
	}}}, nil
}

// startDocker starts a daemon with an image of this program. The error is
// errMissing where the machine cannot have one.
func startDocker(ctx context.Context) (d *daemon, err error) {
	program, err := exec.LookPath("dockerd")
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: dockerd (Debian: apt install docker.io)", errMissing)
	case os.Getuid() != 0:
		return nil, fmt.Errorf("%w: root, which dockerd needs", errMissing)
	}
	d, err = newDaemon()
	if err != nil {
		return nil, err
	}
	d.image = "bench:1"
	in := func(name string) string { return filepath.Join(d.dir, name) }
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := os.WriteFile(in("empty.json"), []byte("{}"), 0o600); err != nil {
		return d, err
	}
	d.child, err = startChild("dockerd", d.dir, []string{
		program, "--config-file", in("empty.json"), "--data-root", in("data"), "--exec-root", in("exec"),
		"--pidfile", in("pid"), "-H", d.address(), "--group", "root", "--bridge", "none", "--iptables=false", "--ip6tables=false",
		"--ip-forward=false", "--ip-masq=false", "--userland-proxy=false", "--storage-driver", "overlay2", "--live-restore=false",
	})
	if err != nil {
		return d, err
	}
	if err := d.awaitAnswer(ctx); err != nil {
		return d, err
	}
	return d, d.importSelf(ctx)
}

// errMissing is what the machine lacks for a measurement.
var errMissing = errors.New("missing")

func (d *daemon) address() string { return "unix://" + filepath.Join(d.dir, "docker.sock") }

func (d *daemon) awaitAnswer(ctx context.Context) error {
	const patience, every = time.Minute, 50 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		err := d.ask(ctx, http.MethodGet, "/_ping", nil, nil)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not answer within %s: %w", d.name, patience, err)
		}
		if err := pause(ctx, every, d.child); err != nil {
			return err
		}
	}
}

// close stops the daemon, which ends its containers, and removes its files.
func (d *daemon) close() error {
	d.client.CloseIdleConnections()
	if d.child != nil {
		const patience = 30 * time.Second
		_ = d.cmd.Process.Signal(syscall.SIGTERM) // It fails only when the process has ended already.
		select {
		case <-d.ended:
		case <-time.After(patience):
			d.stop()
		}
	}
	var err error
	if d.clean != nil {
		err = d.clean()
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// ask sends a request; answer is nil if nobody wants to know.
func (d *daemon) ask(ctx context.Context, method, path string, body io.Reader, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s: %s %s: %s: %s", d.name, method, path, resp.Status, bytes.TrimSpace(text))
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}

// executable is the file of this program.
func executable() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("file of this program: %w", err)
	}
	return self, nil
}

// importSelf makes an image of this program, which has to be a static one.
func (d *daemon) importSelf(ctx context.Context) error {
	self, err := executable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "bench", Mode: 0o755, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	changes := url.QueryEscape(fmt.Sprintf(`ENTRYPOINT ["/bench", %q]`, runCommand))
	return d.ask(ctx, http.MethodPost, "/images/create?fromSrc=-&repo=bench&tag=1&changes="+changes, &archive, nil)
}

// run starts a container that is started again whenever it ends, and returns the
// process in it.
func (d *daemon) run(ctx context.Context, name string) (pid int, err error) {
	spec := fmt.Sprintf(`{"Image":%q,"HostConfig":{"RestartPolicy":{"Name":"always"}},"Labels":{"hedgewatch.io/critical":"true"}}`, d.image)
	if err := d.ask(ctx, http.MethodPost, "/containers/create?name="+name, strings.NewReader(spec), nil); err != nil {
		return 0, err
	}
	if err := d.ask(ctx, http.MethodPost, "/containers/"+name+"/start", nil, nil); err != nil {
		return 0, fmt.Errorf("%w; the program has to be built with CGO_ENABLED=0", err)
	}
	var container struct{ State struct{ Pid int } }
	if err := d.ask(ctx, http.MethodGet, "/containers/"+name+"/json", nil, &container); err != nil {
		return 0, err
	}
	if container.State.Pid <= 1 {
		return 0, fmt.Errorf("container %s has ended at once", name)
	}
	return container.State.Pid, nil
}
