package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

const (
	// answerTimeout is longer than the server takes for its longest answers.
	answerTimeout  = 150 * time.Second
	maxAnswerBytes = 64 << 20
)

// server is a running hedgewatch that a command asks.
type server struct {
	url, tokenFile string
}

func (s *server) flags(cmd *kingpin.CmdClause) {
	cmd.Flag("url", "Where hedgewatch is.").Default("http://127.0.0.1:9090").StringVar(&s.url)
	cmd.Flag("token-file", "File with an API token.").StringVar(&s.tokenFile)
}

// ask sends a request to our API and returns the body of a good answer, or the
// exit code that an error asks for.
func (s server) ask(method, path string, query url.Values, body []byte) (answer []byte, code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	target := strings.TrimRight(s.url, "/") + "/api/hw/v1" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, exitUsage, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.tokenFile != "" {
		token, err := os.ReadFile(s.tokenFile)
		if err != nil {
			return nil, exitUsage, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, exitBad, err
	}
	defer resp.Body.Close() // Read to its end below.
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, exitBad, err
	}
	if resp.StatusCode == http.StatusOK {
		return answer, exitFine, nil
	}
	code = exitBad
	if resp.StatusCode/100 == 4 {
		code = exitUsage
	}
	var refused struct{ Error string }
	if json.Unmarshal(answer, &refused) != nil || refused.Error == "" {
		refused.Error = resp.Status
	}
	return nil, code, errors.New(refused.Error)
}
