package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
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
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// daemon is a private dockerd.
type daemon struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	name   string // Of the image.
	client *http.Client
}

func startDocker(t *testing.T) *daemon {
	t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil {
		skip(t, "dockerd (package docker.io)")
	} else if os.Getuid() != 0 {
		skip(t, "root, which dockerd needs")
	}
	d := newDaemon(t)
	d.start()
	t.Cleanup(d.stop)
	d.image()
	return d
}

// skip says what is missing, and fails where all real parts are required.
func skip(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("REALPARTS") == "all" {
		t.Fatal("missing: " + missing)
	}
	t.Skip("missing: " + missing)
}

// newDaemon returns a daemon that does not run yet, with a directory of its own.
func newDaemon(t *testing.T) *daemon {
	t.Helper()
	// A short path: a unix socket's has about a hundred bytes.
	dir, err := os.MkdirTemp("/tmp", "hwd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &daemon{t: t, dir: dir, name: "crash:1", client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "docker.sock"))
		},
	}}}
}

func (d *daemon) address() string { return "unix://" + filepath.Join(d.dir, "docker.sock") }

func (d *daemon) start() {
	d.t.Helper()
	in := func(name string) string { return filepath.Join(d.dir, name) }
	if err := os.WriteFile(in("empty.json"), []byte("{}"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.cmd = exec.Command("dockerd", "--config-file", in("empty.json"), "--data-root", in("data"), "--exec-root", in("exec"),
		"--pidfile", in("pid"), "-H", d.address(), "--group", "root", "--bridge", "none", "--iptables=false", "--ip6tables=false",
		"--ip-forward=false", "--ip-masq=false", "--userland-proxy=false", "--storage-driver", "overlay2", "--live-restore=false")
	var log bytes.Buffer
	d.cmd.Stdout, d.cmd.Stderr = &log, &log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.await(&log)
}

// await returns when the daemon answers.
func (d *daemon) await(log *bytes.Buffer) {
	d.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := d.client.Get("http://d/_ping")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(end) {
			d.stop()
			d.t.Fatalf("%s does not start: %v\n%s", d.cmd.Path, err, log.String())
		}
	}
}

func (d *daemon) stop() {
	if d.cmd.ProcessState == nil {
		d.halt()
	}
}

func (d *daemon) halt() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.cmd.Wait() // Its exit code says nothing.
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = d.cmd.Process.Kill()
		<-done
	}
}

// compile builds the program that crashes.
func (d *daemon) compile() string {
	d.t.Helper()
	binary := filepath.Join(d.dir, "crash")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./testdata/crash")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		d.t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// image imports the program that crashes as an image.
func (d *daemon) image() {
	d.t.Helper()
	text, err := os.ReadFile(d.compile())
	if err != nil {
		d.t.Fatal(err)
	}
	var archive bytes.Buffer
	tw := tar.NewWriter(&archive)
	if err := tw.WriteHeader(&tar.Header{Name: "crash", Mode: 0o755, Size: int64(len(text))}); err != nil {
		d.t.Fatal(err)
	}
	if _, err := tw.Write(text); err != nil {
		d.t.Fatal(err)
	}
	if err := tw.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.post("/images/create?fromSrc=-&repo=crash&tag=1&changes="+url.QueryEscape(`ENTRYPOINT ["/crash"]`), "application/x-tar", &archive)
}

func (d *daemon) post(path, kind string, body io.Reader) {
	d.t.Helper()
	resp, err := d.client.Post("http://d/v1.41"+path, kind, body)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body) // For the message only.
	if resp.StatusCode >= 300 {
		d.t.Fatalf("POST %s: %s: %s", path, resp.Status, answer)
	}
}

// remove removes a container, if it is there.
func (d *daemon) remove(name string) {
	req, err := http.NewRequest(http.MethodDelete, "http://d/v1.41/containers/"+name+"?force=1", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Log(err)
		return
	}
	resp.Body.Close()
}

func (d *daemon) run(name, mode, host string) {
	d.t.Helper()
	d.post("/containers/create?name="+name, "application/json", strings.NewReader(fmt.Sprintf(
		`{"Image":%q,"Cmd":[%q],"Labels":{"hedgewatch.io/critical":"true"},"HostConfig":{%s}}`, d.name, mode, host)))
	d.post("/containers/"+name+"/start", "application/json", nil)
}

func TestRealDocker(t *testing.T) {
	d := startDocker(t)
	b := watch(t, d.address())
	b.sees()

	t.Run("loop with a dependency as its cause", func(t *testing.T) {
		started := time.Now()
		d.run("feed", "refused", `"RestartPolicy":{"Name":"always"}`)
		in := b.until("service/docker//feed/", func(services.Incident) bool { return true })
		t.Logf("incident %s after the order to start", time.Since(started).Round(time.Millisecond))
		if got := in.Annotations["cause"]; got != "dependency" {
			t.Errorf("got cause %q, want dependency; %v", got, in.Annotations)
		}
		if e := in.Annotations["evidence"]; !strings.Contains(e, "orders-db:5432") || strings.Contains(e, "hunter2") {
			t.Errorf("got evidence %q, want the database without its password", e)
		}
		b.eventually("it backs off", func() bool {
			s := b.status("feed")
			return s.State == services.StateBackingOff && s.Restarts >= 3 && !s.NextRestart.IsZero()
		})
		exit := b.status("feed").LastExit
		if late := in.Labels["service"]; late != "feed" || exit == nil || exit.Code != 1 {
			t.Errorf("got labels %v, exit %+v", in.Labels, exit)
		}
	})
	t.Run("an end by the kernel is for memory", func(t *testing.T) {
		d.run("hog", "oom", `"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":2},"Memory":67108864,"MemorySwap":67108864`)
		in := b.until("service/docker//hog/", func(in services.Incident) bool { return b.status("hog").State == services.StateGaveUp })
		s := b.status("hog")
		if s.LastExit.Code == 3 {
			t.Skip("missing: a kernel that enforces memory limits of containers")
		}
		if in.Annotations["cause"] != "resource" || !s.LastExit.OOM || s.LastExit.Code != 137 {
			t.Errorf("got cause %q, exit %+v; want an OOM", in.Annotations["cause"], s.LastExit)
		}
	})
	t.Run("a stop that was ordered is none", func(t *testing.T) {
		d.run("calm", "run", `"RestartPolicy":{"Name":"always"}`)
		b.eventually("it runs", func() bool { return b.status("calm").State == services.StateRunning })
		d.post("/containers/calm/restart?t=0", "application/json", nil)
		d.post("/containers/calm/stop?t=0", "application/json", nil)
		b.eventually("it has stopped", func() bool { return b.status("calm").State == services.StateStopped })
		if s := b.status("calm"); s.Failing || len(s.Ends) > 0 {
			t.Errorf("got %+v, want no trouble", s)
		}
	})
	t.Run("a container that is gone ends its incident", func(t *testing.T) {
		d.remove("feed")
		b.eventually("cleared", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			_, open := b.raised["service/docker//feed/"]
			return !open
		})
	})
	t.Run("a daemon that restarts is found again, without a false alert", func(t *testing.T) {
		d.run("steady", "run", `"RestartPolicy":{"Name":"always"}`)
		b.eventually("it runs", func() bool { return b.status("steady").State == services.StateRunning })
		d.halt()
		b.eventually("the watcher is blind", func() bool { return !b.Overview().Watchers[0].Sees })
		d.start()
		b.sees()
		b.eventually("it runs again", func() bool { return b.status("steady").State == services.StateRunning })
		if s := b.status("steady"); s.Failing {
			t.Errorf("got %+v, want no trouble after a restart of the daemon", s)
		}
	})
}
