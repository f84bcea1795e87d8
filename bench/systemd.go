package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/godbus/dbus/v5"
)

// A machine is a systemd of its own, PID 1 of its own namespaces.
type machine struct {
	*child
	dir, group string
	bus        string // Its address.
}

const (
	// bare keeps a unit from depending on those of a whole machine.
	bare = "[Unit]\nDefaultDependencies=no\n"
	// inside is what becomes systemd, with $D for its directory.
	inside = `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind $D/run /run
echo 0123456789abcdef0123456789abcdef > $D/machine-id; mount --bind $D/machine-id /etc/machine-id
: > $D/console.log; mount --bind $D/console.log /dev/console
: > $D/kmsg.log; mount --bind $D/kmsg.log /dev/kmsg
umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH=/usr/sbin:/usr/bin container=bench SYSTEMD_UNIT_PATH=$D/units SYSTEMD_GENERATOR_PATH=/nonexistent \
  /lib/systemd/systemd --system --show-status=0 --default-standard-output=null --log-target=kmsg
`
	busConfig = `<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/>
<allow send_type="method_call"/><allow send_type="signal"/></policy></busconfig>`
)

// startSystemd starts a machine on which the services run this program. The error
// is errMissing where there cannot be one.
func startSystemd(ctx context.Context, services []string) (m *machine, err error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: root, which a systemd of its own needs", errMissing)
	}
	for _, program := range []string{"/lib/systemd/systemd", "/usr/bin/dbus-daemon"} {
		if _, err := os.Stat(program); err != nil {
			return nil, fmt.Errorf("%w: %s (Debian: apt install systemd dbus)", errMissing, program)
		}
	}
	self, err := executable()
	if err != nil {
		return nil, err
	}
	// A short path: a unix socket's has about a hundred bytes.
	dir, err := os.MkdirTemp("/tmp", "hwb")
	if err != nil {
		return nil, err
	}
	m = &machine{dir: dir, group: "/sys/fs/cgroup", bus: "unix:path=" + dir + "/run/dbus/system_bus_socket"}
	if unified := m.group + "/unified"; exists(unified) {
		m.group = unified
	}
	m.group = filepath.Join(m.group, filepath.Base(dir))
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if err := os.Mkdir(m.group, 0o755); err != nil {
		return m, fmt.Errorf("%w: a control group of its own: %v", errMissing, err)
	}
	files := map[string]string{
		"units/default.target":  bare + "Wants=dbus.socket dbus.service\n",
		"units/sysinit.target":  bare,
		"units/basic.target":    bare,
		"units/shutdown.target": bare,
		"units/dbus.socket":     bare + "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
		"units/dbus.service": bare + "Requires=dbus.socket\nAfter=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n" +
			"ExecStart=/usr/bin/dbus-daemon --config-file=" + dir + "/bus.conf --address=systemd: --nofork --nopidfile --systemd-activation\n",
		"bus.conf":  busConfig,
		"inside.sh": inside,
		"run/x":     "",
	}
	for _, name := range services {
		files["units/"+name] = fmt.Sprintf("%s[Service]\nExecStart=%s %s\nRestart=always\nRestartSec=1s\n", bare, self, runCommand)
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return m, err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return m, err
		}
	}
	m.child, err = startChild("systemd", dir, []string{
		"env", "D=" + dir, "sh", "-c", "echo $$ > " + m.group + "/cgroup.procs && " +
			"exec unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup sh $D/inside.sh",
	})
	if err != nil {
		return m, err
	}
	const patience, every = time.Minute, 50 * time.Millisecond
	for end := time.Now().Add(patience); m.call(ctx, "ListUnits") != nil; {
		if time.Now().After(end) {
			return m, fmt.Errorf("systemd does not answer within %s", patience)
		}
		if err := pause(ctx, every, m.child); err != nil {
			return m, err
		}
	}
	for _, name := range services {
		if err := m.call(ctx, "StartUnit", name, "replace"); err != nil {
			return m, err
		}
	}
	return m, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// kill ends the process of a unit.
func (m *machine) kill(ctx context.Context, unit string) error {
	const sigkill = 9
	return m.call(ctx, "KillUnit", unit, "main", int32(sigkill))
}

func (m *machine) call(ctx context.Context, method string, args ...any) error {
	conn, err := dbus.Connect(m.bus, dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer conn.Close()
	object := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	return object.CallWithContext(ctx, "org.freedesktop.systemd1.Manager."+method, 0, args...).Err
}

// close ends the machine with all that runs on it.
func (m *machine) close() error {
	if m.child != nil {
		m.stop() // unshare takes everything with it.
	}
	// Groups are empty a moment after their processes have ended.
	const tries, every = 50, 100 * time.Millisecond
	remove := func() error {
		return exec.Command("find", m.group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
	}
	for try := 0; exists(m.group) && remove() != nil && try < tries; try++ {
		time.Sleep(every)
	}
	return os.RemoveAll(m.dir)
}
