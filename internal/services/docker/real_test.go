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
	client *http.Client
}

func startDocker(t *testing.T) *daemon {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath("dockerd"); err != nil {
		missing = "dockerd (package docker.io)"
	} else if os.Getuid() != 0 {
		missing = "root, which dockerd needs"
	}
	if missing != "" {
		if os.Getenv("REALPARTS") == "all" {
			t.Fatal("missing: " + missing)
		}
		t.Skip("missing: " + missing)
	}
	// A short path: a unix socket's has about a hundred bytes.
	dir, err := os.MkdirTemp("/tmp", "hwd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "empty.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: dir, client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "docker.sock"))
		},
	}}}
	d.start()
	t.Cleanup(d.stop)
	d.image()
	return d
}

func (d *daemon) address() string { return "unix://" + filepath.Join(d.dir, "docker.sock") }

func (d *daemon) start() {
	d.t.Helper()
	in := func(name string) string { return filepath.Join(d.dir, name) }
	d.cmd = exec.Command("dockerd", "--config-file", in("empty.json"), "--data-root", in("data"), "--exec-root", in("exec"),
		"--pidfile", in("pid"), "-H", d.address(), "--group", "root", "--bridge", "none", "--iptables=false", "--ip6tables=false",
		"--ip-forward=false", "--ip-masq=false", "--userland-proxy=false", "--storage-driver", "overlay2", "--live-restore=false")
	var log bytes.Buffer
	d.cmd.Stdout, d.cmd.Stderr = &log, &log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := d.client.Get("http://d/_ping")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(end) {
			d.stop()
			d.t.Fatalf("dockerd does not start: %v\n%s", err, log.String())
		}
	}
}

func (d *daemon) stop() {
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

// image builds the program that crashes, and imports it as an image.
func (d *daemon) image() {
	d.t.Helper()
	binary := filepath.Join(d.dir, "crash")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./testdata/crash")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		d.t.Fatalf("build: %v\n%s", err, out)
	}
	text, err := os.ReadFile(binary)
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

func (d *daemon) run(name, mode, host string) {
	d.t.Helper()
	d.post("/containers/create?name="+name, "application/json", strings.NewReader(fmt.Sprintf(
		`{"Image":"crash:1","Cmd":[%q],"Labels":{"hedgewatch.io/critical":"true"},"HostConfig":{%s}}`, mode, host)))
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
		req, _ := http.NewRequest(http.MethodDelete, "http://d/v1.41/containers/feed?force=1", nil)
		resp, err := d.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
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
		d.stop()
		b.eventually("the watcher is blind", func() bool { return !b.Overview().Watchers[0].Sees })
		d.start()
		b.sees()
		b.eventually("it runs again", func() bool { return b.status("steady").State == services.StateRunning })
		if s := b.status("steady"); s.Failing {
			t.Errorf("got %+v, want no trouble after a restart of the daemon", s)
		}
	})
}
