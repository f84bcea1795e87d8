package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// A platform runs services that are started again when they end.
type platform struct {
	// config is the part of hedgewatch's configuration that has them watched.
	config   string
	services []string
	// end ends one of them from outside, as a crash.
	end   func(ctx context.Context, i int) error
	close func() error
}

// runUntilKilled is what services do.
func runUntilKilled(ctx context.Context, _ []string, _ io.Writer) error {
	<-ctx.Done()
	return nil
}

// containers are those of Docker or Podman, by what starts the daemon.
func containers(start func(context.Context) (*daemon, error)) func(context.Context, *bench, int) (*platform, error) {
	return func(ctx context.Context, _ *bench, n int) (p *platform, err error) {
		d, err := start(ctx)
		if err != nil {
			return nil, err
		}
		p = &platform{config: fmt.Sprintf("services: {docker: {address: %q}}\n", d.address()), services: named("container-", n), close: d.close}
		processes := make([]int, n)
		for i, name := range p.services {
			if processes[i], err = d.run(ctx, name); err != nil {
				return nil, errors.Join(err, d.close())
			}
		}
		p.end = func(_ context.Context, i int) error { return syscall.Kill(processes[i], syscall.SIGKILL) }
		return p, nil
	}
}

// units are services of a systemd of its own.
func units(ctx context.Context, b *bench, n int) (*platform, error) {
	p := &platform{}
	for _, name := range named("unit-", n) {
		p.services = append(p.services, name+".service")
	}
	m, err := startSystemd(ctx, p.services)
	if err != nil {
		return nil, err
	}
	p.config = fmt.Sprintf("services: {critical: [\"unit-*\"], systemd: {address: %q, units: [\"unit-*.service\"]}}\n", m.bus)
	p.end = func(ctx context.Context, i int) error { return m.kill(ctx, p.services[i]) }
	p.close = m.close
	return p, nil
}

// processGroups are processes that nobody but us has started.
func processGroups(_ context.Context, b *bench, n int) (p *platform, err error) {
	var children []*child
	stop := func() error {
		for _, c := range children {
			c.stop()
		}
		return nil
	}
	self, err := executable()
	if err != nil {
		return nil, err
	}
	p = &platform{services: named("group-", n), close: stop}
	p.config = "services: {critical: [\"group-*\"], processes: {}}\nhost:\n  enabled: false\n  processes:\n"
	for _, name := range p.services {
		c, err := startChild(name, b.dir, []string{self, runCommand, name})
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		children = append(children, c)
		p.config += fmt.Sprintf("  - {name: %s, cmdline: [\"%s %s$\"]}\n", name, runCommand, name)
	}
	p.end = func(_ context.Context, i int) error { return children[i].cmd.Process.Kill() }
	return p, nil
}
