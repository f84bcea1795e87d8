// Package demo runs hedgewatch and everything that it watches on one machine: a
// simulated exchange, a trading platform of separate processes, its database, and a
// stand-in for Discord, with a panel of faults that break them for real.
//
// Nothing here is part of the product, whose packages do not know it. All is
// simulated but hedgewatch itself, the database and the processes. Start with
// [New]; [Demo.Run] ends with nothing left over.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// Config of a demo. Addresses are host:port; port 0 is any that is free.
type Config struct {
	// Command is the program hedgewatch: its path.
	Command string
	// Panel, Web and Governor are where the panel of faults with the inbox,
	// hedgewatch and its governor listen.
	Panel, Web, Governor string
	// Database is one of [Databases].
	Database string
	// Out is told where to look; Logger is told the rest.
	Out    io.Writer
	Logger *slog.Logger
}

// Demo is a demo that can be run once.
type Demo struct {
	cfg      Config
	dir      string
	listener net.Listener // Of the panel, the exchange and Discord.
	own      string       // URL of the listener.

	exchange *exchangesim.Exchange
	inbox    *inbox
	database database
	sup      *supervisor
	panel    *panel
}

// New checks the addresses and takes them. It starts nothing.
func New(cfg Config) (d *Demo, err error) {
	d = &Demo{cfg: cfg}
	if d.listener, err = net.Listen("tcp", cfg.Panel); err != nil {
		return nil, fmt.Errorf("panel: %w; choose another --panel.listen-address", err)
	}
	defer func() {
		if err != nil {
			_ = d.listener.Close()
		}
	}()
	if d.cfg.Web, err = settle(cfg.Web); err != nil {
		return nil, fmt.Errorf("hedgewatch: %w; choose another --web.listen-address", err)
	}
	if d.cfg.Governor, err = settle(cfg.Governor); err != nil {
		return nil, fmt.Errorf("governor: %w; choose another --governor.listen-address", err)
	}
	d.own = "http://" + d.listener.Addr().String()
	return d, nil
}

// settle returns the address that will be listened on, if it is free.
func settle(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Run starts everything, in the order in which one needs the other, and works until
// ctx ends. Then everything is stopped and its data removed.
func (d *Demo) Run(ctx context.Context) (err error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if d.dir, err = os.MkdirTemp("", "hedgewatch-demo-"); err != nil {
		return errors.Join(err, d.listener.Close())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	// The database's user passes through; what is secret has a mode of its own.
	if err := os.Chmod(d.dir, 0o711); err != nil {
		return errors.Join(err, d.listener.Close())
	}

	d.exchange = exchangesim.New(exchangesim.Config{Seed: 1, Accounts: simulatedAccounts(), Since: time.Now().Add(-48 * time.Hour)})
	defer d.exchange.Close()
	accounts := platformAccounts(d.exchange)
	if d.database, err = startDatabase(ctx, d.cfg.Database, d.dir, accounts); err != nil {
		return errors.Join(err, d.listener.Close())
	}
	defer d.database.close()
	d.inbox = newInbox(d.own)
	d.sup = newSupervisor(d.cfg.Command, d.dir, "http://"+d.cfg.Web, d.cfg.Logger)
	d.panel = newPanel(d)
	stopServing := d.serve()
	defer stopServing()

	if err := d.configure(accounts); err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // Before the wait.
	defer d.sup.stopAll()
	if err := d.sup.start(ctx, &running, d.database); err != nil {
		return err
	}
	for name := range d.sup.children {
		if err := awaitReady(ctx, "http://"+d.sup.address(name)+"/metrics", d.sup.children[name].process); err != nil {
			return err
		}
	}
	running.Go(func() { visit(ctx, d.sup.address(platform.ReportingAPI)) })
	d.panel.ready.Store(true)
	fmt.Fprintf(d.cfg.Out, `hedgewatch watches a simulated trading platform; ready after %.1f s.

  hedgewatch       http://%s
  break something  %s
  the inbox        %s/inbox

Exchange, accounts, orders and Discord are simulated. Ctrl-C stops and removes all of it.
`, time.Since(began).Seconds(), d.cfg.Web, d.own, d.own)
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.sup.lost:
		return err
	}
}

// serve serves the panel, the exchange and Discord until it is told to stop.
func (d *Demo) serve() (stop func()) {
	mux := http.NewServeMux()
	for _, path := range []string{"/api/v3/", "/sapi/", "/fapi/", "/dapi/", "/ws/", "/ws", "/stream", "/spot/", "/usdm/", "/coinm/"} {
		mux.Handle(path, d.exchange.Handler())
	}
	d.inbox.route(mux)
	d.panel.route(mux)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(d.listener) }) // Close ends it.
	return func() {
		_ = server.Close() // Nobody waits for an answer any more.
		running.Wait()
	}
}

// awaitReady returns when url answers with 200, or the process has ended.
func awaitReady(ctx context.Context, url string, p *process) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if status, err := get(ctx, url); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-p.ended():
			return fmt.Errorf("%s has ended by itself:\n%s", p.log, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", url, ctx.Err(), p.tail())
		case <-ticker.C:
		}
	}
}

func get(ctx context.Context, url string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// visit is the traders who look at their reports.
func visit(ctx context.Context, address string) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = get(ctx, "http://"+address+"/pnl") // The service counts what fails.
		}
	}
}

func (d *Demo) path(name string) string { return filepath.Join(d.dir, name) }
