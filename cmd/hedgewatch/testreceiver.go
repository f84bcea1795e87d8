package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/hedgewatch/hedgewatch/internal/drill"
)

const (
	// testReceiverTimeout is longer than the server's own bound of a test.
	testReceiverTimeout = 90 * time.Second
	maxTestAnswerBytes  = 1 << 20
)

// receiverTest is the test-receiver command.
type receiverTest struct {
	url       *url.URL
	tokenFile string
	receiver  string
}

func addTestReceiver(app *kingpin.Application, commands map[string]command) {
	var t receiverTest
	cmd := app.Command("test-receiver", "Have a running hedgewatch send a test message to a receiver.")
	cmd.Flag("url", "Where hedgewatch runs.").Default("http://127.0.0.1:9090").URLVar(&t.url)
	cmd.Flag("token-file", "File with an API token, where a login is needed.").StringVar(&t.tokenFile)
	cmd.Arg("receiver", "Name of the receiver.").Required().StringVar(&t.receiver)
	commands[cmd.FullCommand()] = t.run
}

var errWrongTestUsage = errors.New("wrong usage")

func (t *receiverTest) run(stdout, stderr io.Writer) int {
	result, err := t.ask()
	if err != nil {
		fmt.Fprintf(stderr, "test receiver %q: %v\n", t.receiver, err)
		if errors.Is(err, errWrongTestUsage) {
			return exitUsage
		}
		return exitBad
	}
	for _, a := range result.Attempts {
		took := time.Duration(a.Seconds * float64(time.Second)).Round(time.Millisecond)
		if a.Delivered {
			fmt.Fprintf(stdout, "%s: delivered in %v\n", a.Integration, took)
			continue
		}
		fmt.Fprintf(stdout, "%s: not delivered, after %v: %s\n", a.Integration, took, a.Error)
	}
	if result.Error != "" {
		fmt.Fprintf(stdout, "%s: %s\n", t.receiver, result.Error)
	}
	if !result.Delivered {
		return exitBad
	}
	return exitFine
}

func (t *receiverTest) ask() (result drill.Result, err error) {
	address := t.url.JoinPath("api/hw/v1/receivers", url.PathEscape(t.receiver), "test")
	req, err := http.NewRequest(http.MethodPost, address.String(), nil)
	if err != nil {
		return result, err
	}
	if t.tokenFile != "" {
		token, err := os.ReadFile(t.tokenFile)
		if err != nil {
			return result, fmt.Errorf("%w: read token: %w", errWrongTestUsage, err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client := http.Client{Timeout: testReceiverTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return result, fmt.Errorf("%w; is hedgewatch running there? Give its address with --url", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTestAnswerBytes))
	if err != nil {
		return result, err
	}
	if resp.StatusCode == http.StatusOK {
		return result, json.Unmarshal(body, &result)
	}
	var problem struct{ Error string }
	if json.Unmarshal(body, &problem) != nil || problem.Error == "" {
		problem.Error = strings.TrimSpace(string(body))
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return result, fmt.Errorf("%w: %s", errWrongTestUsage, problem.Error)
	case http.StatusUnauthorized, http.StatusForbidden:
		return result, fmt.Errorf("%w: %s; give an API token with --token-file", errWrongTestUsage, problem.Error)
	}
	return result, fmt.Errorf("%s: %s", resp.Status, problem.Error)
}
