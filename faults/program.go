package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A program is hedgewatch as a process that comes and goes, always at the same
// address and with the same data.
type program struct {
	argv []string
	url  string
	log  string // Not on the disk that gets full.

	cmd   *exec.Cmd
	ended chan struct{} // Closed when the process has been waited for.
}

func newProgram(command []string, dir, config string) (*program, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "hedgewatch-faults-*.log")
	if err != nil {
		return nil, err
	}
	return &program{
		argv: append(command[:len(command):len(command)], "run", "--config.file="+config,
			"--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address),
		url: "http://" + address,
		log: log.Name(),
	}, log.Close()
}

// start returns when the program is ready.
func (p *program) start(ctx context.Context) error {
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.argv[0], p.argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.ended = ended
	go func() {
		_ = p.cmd.Wait() // How it ended is asked by who cares.
		close(ended)
	}()
	const patience = time.Minute
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if p.ready(ctx) {
			return nil
		}
		if err := p.alive(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("not ready within %s:\n%s", patience, p.tail())
}

func (p *program) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/-/ready", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return errors.Join(resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK
}

// alive waits, and fails if the program ends by itself.
func (p *program) alive(ctx context.Context, d time.Duration) error {
	select {
	case <-p.ended:
		return fmt.Errorf("the program ended by itself: %s\n%s", p.cmd.ProcessState, p.tail())
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (p *program) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill is kill -9.
func (p *program) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // It fails only when the process has ended already.
	<-p.ended
}

// terminate asks the program to end.
func (p *program) terminate(ctx context.Context) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	const patience = time.Minute
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("exit code %d after SIGTERM:\n%s", code, p.tail())
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("still there %s after SIGTERM:\n%s", patience, p.tail())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *program) tail() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	const most = 3000
	return bytes.TrimSpace(text[max(0, len(text)-most):])
}
