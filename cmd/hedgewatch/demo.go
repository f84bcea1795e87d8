package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/hedgewatch/hedgewatch/internal/demo"
	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
)

func addDemo(kp *kingpin.Application, commands map[string]command) {
	const panelDefault = "127.0.0.1:9095"
	cmd := kp.Command("demo", "Run hedgewatch with a simulated trading platform to watch, and break it.")

	start := cmd.Command("start", "Start everything on this machine; Ctrl-C stops and removes all of it.").Default()
	var cfg demo.Config
	start.Flag("panel.listen-address", "Address of the panel of faults and of the inbox.").Default(panelDefault).StringVar(&cfg.Panel)
	start.Flag("web.listen-address", "Address of hedgewatch.").Default("127.0.0.1:9090").StringVar(&cfg.Web)
	start.Flag("governor.listen-address", "Address of the governor.").Default("127.0.0.1:9091").StringVar(&cfg.Governor)
	start.Flag("database", "What the platform keeps its data in: auto is PostgreSQL where that is installed, else SQLite.").
		Default(demo.Automatic).EnumVar(&cfg.Database, demo.Databases()...)
	commands[start.FullCommand()] = func(stdout, stderr io.Writer) int {
		cfg.Out, cfg.Logger = stdout, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
		return runDemo(cfg, stderr)
	}
	for _, action := range []string{"break", "repair"} {
		sub := cmd.Command(action, strings.ToUpper(action[:1])+action[1:]+" something in the demo that runs.")
		name := sub.Arg("name", "What, as the panel names it.").Required().String()
		panel := sub.Flag("panel", "URL of the panel.").Default("http://" + panelDefault).String()
		commands[sub.FullCommand()] = func(_, stderr io.Writer) int { return changeDemo(*panel, *name, action, stderr) }
	}

	service := kp.Command("demo-service", "Run one service of the demo's platform.").Hidden()
	serviceName := service.Arg("name", "Which.").Required().String()
	file := service.Flag("config.file", "Its configuration.").Required().String()
	commands[service.FullCommand()] = func(_, stderr io.Writer) int { return runDemoService(*serviceName, *file, stderr) }
}

func untilStopped() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

func runDemo(cfg demo.Config, stderr io.Writer) int {
	// Not os.Executable: the program may be one that is several by its name.
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		fmt.Fprintf(stderr, "find this program: %v\n", err)
		return exitUsage
	}
	cfg.Command = path
	d, err := demo.New(cfg)
	if err != nil {
		printErrors(stderr, err)
		return exitUsage
	}
	ctx, stop := untilStopped()
	defer stop()
	if err := d.Run(ctx); err != nil && ctx.Err() == nil {
		printErrors(stderr, err)
		return exitBad
	}
	return exitFine
}

// changeDemo asks the panel.
func changeDemo(panel, name, action string, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := strings.TrimRight(panel, "/") + "/api/faults/" + url.PathEscape(name) + "/" + action
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		fmt.Fprintf(stderr, "--panel=%s: %v\n", panel, err)
		return exitUsage
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintf(stderr, "ask the demo: %v; is it running?\n", err)
		return exitBad
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // The status says enough.
		fmt.Fprintf(stderr, "%s\n", strings.TrimSpace(string(text)))
		return exitBad
	}
	return exitFine
}

func runDemoService(name, file string, stderr io.Writer) int {
	ctx, stop := untilStopped()
	defer stop()
	err := platform.Run(ctx, name, file, slog.New(slog.NewTextHandler(stderr, nil)))
	if err == nil {
		return exitFine
	}
	printErrors(stderr, err)
	if errors.Is(err, platform.ErrConfig) {
		return exitUsage
	}
	return exitBad
}
