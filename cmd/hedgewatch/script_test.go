package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hedgewatch": main})
}

// TestScripts runs testdata/script/*.txtar: every subcommand's output, messages
// and exit codes. Beyond the commands of package testscript there are
//
//	status CODE COMMAND…  the command ends with this exit code
//	fetch URL             prints the body, waiting up to 20 s for an answer of 200
//	post URL [STATUS]     posts nothing, and expects the status, 200 by default
//
// and $PORT is free.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			env.Setenv("PORT", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status,
			"fetch":  fetch,
			"post":   post,
		},
	})
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("got exit status %s, want %s", got, args[0])
	}
}

func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fetch URL")
	}
	var last string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		ts.Check(err)
		if resp.StatusCode == http.StatusOK {
			_, err := fmt.Fprint(ts.Stdout(), string(body))
			ts.Check(err)
			return
		}
		last = resp.Status + ": " + string(body)
	}
	ts.Fatalf("GET %s: %s", args[0], last)
}

func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: post URL [STATUS]")
	}
	resp, err := http.Post(args[0], "", nil)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	want := "200"
	if len(args) == 2 {
		want = args[1]
	}
	if got := fmt.Sprint(resp.StatusCode); got != want {
		ts.Fatalf("POST %s: got status %s, want %s: %s", args[0], got, want, body)
	}
	_, err = fmt.Fprint(ts.Stdout(), string(body))
	ts.Check(err)
}
