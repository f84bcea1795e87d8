package systemd_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/services"
	"github.com/hedgewatch/hedgewatch/internal/services/systemd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is a systemd of its own, as PID 1 of its own namespaces.
type machine struct {
	t   *testing.T
	bus string
}

const inner = `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
mount --bind $D/run /run
echo 0123456789abcdef0123456789abcdef > $D/machine-id; mount --bind $D/machine-id /etc/machine-id
: > $D/console.log; mount --bind $D/console.log /dev/console
: > $D/kmsg.log; mount --bind $D/kmsg.log /dev/kmsg
umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH=/usr/sbin:/usr/bin container=hwtest SYSTEMD_UNIT_PATH=$D/units SYSTEMD_GENERATOR_PATH=/nonexistent \
  /lib/systemd/systemd --system --show-status=0 --default-standard-output=null --log-target=kmsg
`

const bare = "[Unit]\nDefaultDependencies=no\n"

func boot(t *testing.T, units map[string]string) *machine {
	t.Helper()
	missing := ""
	switch {
	case os.Getuid() != 0:
		missing = "root, which a systemd of its own needs"
	case !exists("/lib/systemd/systemd") || !exists("/usr/bin/dbus-daemon"):
		missing = "packages systemd and dbus"
	}
	group := "/sys/fs/cgroup"
	if exists(group + "/unified") {
		group += "/unified"
	}
	group = filepath.Join(group, fmt.Sprint("hwtest", os.Getpid()))
	if err := os.MkdirAll(group, 0o755); missing == "" && err != nil {
		missing = "a cgroup of its own: " + err.Error()
	}
	if missing != "" {
		if os.Getenv("REALPARTS") == "all" {
			t.Fatal("missing: " + missing)
		}
		t.Skip("missing: " + missing)
	}
	dir, err := os.MkdirTemp("/tmp", "hws") // Short, for the sockets.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(dir)
		// Groups are empty a moment after their processes were killed.
		for try := 0; exists(group) && try < 100; try++ {
			_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
			time.Sleep(10 * time.Millisecond)
		}
	})
	files := map[string]string{
		"units/default.target":  bare + "Wants=dbus.socket dbus.service\n",
		"units/sysinit.target":  bare,
		"units/basic.target":    bare,
		"units/shutdown.target": bare,
		"units/dbus.socket":     bare + "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
		"units/dbus.service": bare + "Requires=dbus.socket\nAfter=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n" +
			"ExecStart=/usr/bin/dbus-daemon --config-file=" + dir + "/bus.conf --address=systemd: --nofork --nopidfile --systemd-activation\n",
		"bus.conf": `<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/>
<allow send_type="method_call"/><allow send_type="signal"/></policy></busconfig>`,
		"inner.sh": inner,
		"run/x":    "",
	}
	for name, text := range units {
		files["units/"+name] = text
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", `echo $$ > $G/cgroup.procs && exec unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup sh $D/inner.sh`)
	cmd.Env = append(os.Environ(), "D="+dir, "G="+group)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare takes everything with it.
		_ = cmd.Wait()
	})
	m := &machine{t, "unix:path=" + dir + "/run/dbus/system_bus_socket"}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if m.call("ListUnits") == nil {
			return m
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(dir + "/kmsg.log")
			t.Fatalf("systemd does not answer:\n%s", log)
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (m *machine) call(method string, args ...any) error {
	conn, err := dbus.Connect(m.bus)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1").Call("org.freedesktop.systemd1.Manager."+method, 0, args...).Err
}

func (m *machine) start(unit string) {
	m.t.Helper()
	if err := m.call("StartUnit", unit, "replace"); err != nil {
		m.t.Fatal(err)
	}
}

func TestRealSystemd(t *testing.T) {
	service := func(exec, more string) string { return bare + more + "[Service]\nExecStart=" + exec + "\n" }
	m := boot(t, map[string]string{
		"flap.service":    service("/bin/sh -c 'exit 3'", "StartLimitIntervalSec=0\n") + "Restart=on-failure\nRestartSec=300ms\n",
		"quits.service":   service("/bin/sh -c 'exit 1'", "StartLimitBurst=3\n") + "Restart=on-failure\nRestartSec=10ms\n",
		"missing.service": service("/nonexistent/feed", "") + "Restart=always\nRestartSec=500ms\n",
		"steady.service":  service("/bin/sleep 60", "") + "Restart=always\n",
		"slow.service":    service("/bin/sleep 60", "") + "CPUQuota=10%\n",
	})
	// Not every kernel that has a systemd counts CPU for it: the counters are ours.
	counters := t.TempDir()
	if err := os.MkdirAll(counters+"/system.slice/slow.service", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(counters+"/system.slice/slow.service/cpu.stat", []byte("nr_periods 500\nnr_throttled 450\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start("slow.service")
	for _, unit := range []string{"flap.service", "quits.service", "missing.service", "steady.service"} {
		_ = m.call("LoadUnit", unit)
	}
	raised := make(chan services.Incident, 100)
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := services.New(services.DefaultConfig(), services.Deps{
		Logger: logger,
		Raise: func(_ context.Context, in services.Incident) error {
			raised <- in
			return nil
		},
		Clear:  func(context.Context, string) error { return nil },
		Active: func(context.Context) ([]string, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := systemd.New(systemd.Config{Address: m.bus, Units: []string{"*.service"}, CgroupFS: counters}, s, logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, run := range []func(context.Context) error{s.Run, w.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not so after 15 s: %s; %+v", what, s.Overview())
			}
		}
	}
	status := func(unit string) (st services.Status) {
		for _, st := range s.Overview().Services {
			if st.Instance == unit {
				return st
			}
		}
		return st
	}
	eventually("the watcher sees", func() bool { return s.Overview().Watchers[0].Sees })
	eventually("the CPU limit of a unit is known", func() bool {
		ratio := status("slow.service").CPUThrottled
		return ratio != nil && *ratio == 0.9
	})
	m.start("steady.service")
	for unit, want := range map[string]struct {
		state services.State
		cause services.Cause
	}{
		"flap.service":    {services.StateBackingOff, services.Unknown},
		"quits.service":   {services.StateGaveUp, services.Unknown},
		"missing.service": {services.StateBackingOff, services.Configuration},
	} {
		m.start(unit)
		started := time.Now()
		eventually(unit, func() bool {
			st := status(unit)
			return st.State == want.state && st.Failing && st.Diagnosis != nil && st.Diagnosis.Cause == want.cause
		})
		t.Logf("%s %s %s after its start: %+v", unit, want.state, time.Since(started).Round(time.Millisecond), status(unit).Diagnosis)
		select {
		case in := <-raised:
			if !strings.HasSuffix(in.Key, unit+"/") {
				t.Errorf("got incident %q, want that of %s", in.Key, unit)
			}
		case <-time.After(2 * time.Second):
			t.Errorf("%s: no incident", unit)
		}
		_ = m.call("StopUnit", unit, "replace")
		for len(raised) > 0 {
			<-raised
		}
	}
	if d := status("missing.service").Diagnosis; d == nil || len(d.Evidence) == 0 || !strings.Contains(d.Evidence[0], "203: EXEC") {
		t.Errorf("got %+v, want what systemd could not do", d)
	}
	if st := status("steady.service"); st.CPUThrottled != nil || st.State != services.StateRunning || st.Failing {
		t.Errorf("got %+v, want it running", st)
	}
}
