package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A child is a process that we started. Its output goes to a file, and is shown
// when it ends before we end it.
type child struct {
	name string
	cmd  *exec.Cmd
	log  string
	// ended is closed when the process has been waited for; err is how it ended.
	ended chan struct{}
	err   error
}

// startChild runs a program in dir, until stop or until we die.
func startChild(name, dir string, argv []string) (*child, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &child{name: name, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd = exec.Command(argv[0], argv[1:]...)
	c.cmd.Dir = dir
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = dieWithParent()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// stop kills the process: nothing of what it leaves is used again.
func (c *child) stop() {
	// It fails only when the process has ended already.
	_ = c.cmd.Process.Kill()
	<-c.ended
}

func (c *child) usage() (usage, error) { return readUsage(c.cmd.Process.Pid) }

// died is the error of a process that ended before its time.
func (c *child) died() error {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err
	}
	const tail = 2000
	return fmt.Errorf("%s ended by itself: %w; its last output:\n%s", c.name, errors.Join(c.err, errors.New(c.cmd.ProcessState.String())),
		bytes.TrimSpace(text[max(0, len(text)-tail):]))
}

// pause waits, unless ctx or one of the children ends.
func pause(ctx context.Context, d time.Duration, children ...*child) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	for _, c := range children {
		select {
		case <-c.ended:
			return c.died()
		default:
		}
	}
	return nil
}

// awaitOK polls a URL until it answers 200, and returns the time of the answer.
func (c *child) awaitOK(ctx context.Context, url string) (time.Time, error) {
	const (
		every    = 2 * time.Millisecond
		patience = time.Minute
	)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s did not become ready within %s", c.name, patience))
	defer cancel()
	for {
		if err := get(ctx, url, io.Discard); err == nil {
			return time.Now(), nil
		}
		if err := pause(ctx, every, c); err != nil {
			return time.Time{}, errors.Join(err, context.Cause(ctx))
		}
	}
}

// get copies the body of a 200 answer to w.
func get(ctx context.Context, url string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// Not compressed: who compresses harder is not the question.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		const enough = 500
		text, _ := io.ReadAll(io.LimitReader(resp.Body, enough)) // It only explains the status.
		return fmt.Errorf("GET %s: %s: %s", url, resp.Status, bytes.TrimSpace(text))
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	addresses, err := freeAddresses(1)
	if err != nil {
		return "", err
	}
	return addresses[0], nil
}

// freeAddresses holds each address until it has all, so that no two are equal.
func freeAddresses(n int) (addresses []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
