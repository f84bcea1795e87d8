package demo

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// A process is a program that is started again and again, with the log of its
// last run.
type process struct {
	argv []string
	log  string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // Closed when the run has been waited for.
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	// It ends with us, however we end; Ctrl-C reaches it by us only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.argv[0], err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		_ = cmd.Wait() // How it ended is asked by who cares.
		close(done)
	}()
	return nil
}

// ended is closed when the run has ended; nil if there was none.
func (p *process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// stop asks the run to end, and ends it after a while.
func (p *process) stop(patience time.Duration) {
	if p.ended() == nil {
		return // It never ran.
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended():
	case <-time.After(patience):
		p.signal(syscall.SIGKILL)
		<-p.ended()
	}
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // It fails only when the process has ended already.
}

// exit says how the run that has ended did so.
func (p *process) exit(started time.Time, oom, wanted bool) *services.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &services.Exit{StartedAt: started, At: time.Now(), OOM: oom, Wanted: wanted, Code: p.cmd.ProcessState.ExitCode()}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal, e.Code = int(status.Signal()), 0
	}
	return e
}

// resident is how much memory the run has, 0 if it is gone.
func (p *process) resident() int64 {
	p.mu.Lock()
	pid := p.cmd.Process.Pid
	p.mu.Unlock()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// tail is the end of the log of the last run.
func (p *process) tail() []byte { return tail(p.log) }

// tail is the end of a log.
func tail(path string) []byte {
	file, err := os.Open(path)
	if err != nil {
		return []byte(err.Error())
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, size-services.MaxLogBytes), io.SeekStart) // Else it is the whole of a short file.
	}
	text, err := io.ReadAll(io.LimitReader(file, services.MaxLogBytes))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text)
}
