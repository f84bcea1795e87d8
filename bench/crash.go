package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measureCrashes kills who routes alerts a second after a notification and a
// silence, and looks at what it still knows when it is back.
func measureCrashes(ctx context.Context, b *bench) ([]result, error) {
	silences := result{what: "silences lost by kill -9 1 s later", unit: count(), none: true}
	repeats := result{what: "notifications repeated after kill -9 1 s later", unit: count(), none: true}
	sink, err := startSink("trial")
	if err != nil {
		return nil, err
	}
	defer sink.close()
	for i := range either(b, 1, 5) {
		for _, c := range b.contenders() {
			trial := fmt.Sprintf("%s-%d", c.name, i)
			lost, repeated, err := b.crash(ctx, c, sink, trial)
			if err != nil {
				return nil, err
			}
			silences.count(c, lost)
			repeats.count(c, repeated)
		}
	}
	return []result{silences, repeats}, nil
}

// crash returns how many silences were lost and notifications repeated.
func (b *bench) crash(ctx context.Context, c contender, sink *sink, trial string) (lost, repeated int, err error) {
	dir := filepath.Join(b.dir, trial)
	process, url, err := b.startRouting(ctx, c, dir, sink.url)
	if err != nil {
		return 0, 0, err
	}
	defer func() { process.stop() }()
	if err := postAlert(ctx, url, trial); err != nil {
		return 0, 0, err
	}
	if _, err := sink.await(ctx, news{"firing", trial}, time.Minute); err != nil {
		return 0, 0, err
	}
	id, err := postSilence(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, time.Second, process); err != nil {
		return 0, 0, err
	}
	process.stop() // That is SIGKILL.

	if process, url, err = b.startRouting(ctx, c, dir, sink.url); err != nil {
		return 0, 0, err
	}
	if err := get(ctx, url+"/api/v2/silence/"+id, io.Discard); err != nil {
		lost = 1
	}
	// As a Prometheus does every minute while the alert fires.
	if err := postAlert(ctx, url, trial); err != nil {
		return 0, 0, err
	}
	const enoughToRepeat = 5 * time.Second
	if err := pause(ctx, enoughToRepeat, process); err != nil {
		return 0, 0, err
	}
	return lost, sink.times(news{"firing", trial}) - 1, nil
}

// startRouting runs what routes alerts, with the data that it left in dir.
func (b *bench) startRouting(ctx context.Context, c contender, dir, sink string) (*child, string, error) {
	notify := toWebhook(sink, 5*time.Minute)
	if !c.ours {
		return b.startAlertmanager(ctx, dir, notify)
	}
	t, err := b.startPath(ctx, c, dir, alertPath{evaluation: time.Minute, rules: breachRule, notify: notify})
	if err != nil {
		return nil, "", err
	}
	return t.child, t.alerts, nil
}

func postAlert(ctx context.Context, url, trial string) error {
	_, err := postJSON(ctx, url+"/api/v2/alerts", []any{map[string]any{
		"labels": map[string]string{"alertname": "Breach", "trial": trial},
	}})
	return err
}

func postSilence(ctx context.Context, url string) (id string, err error) {
	now := time.Now()
	answer, err := postJSON(ctx, url+"/api/v2/silences", map[string]any{
		"matchers": []any{map[string]any{"name": "alertname", "value": "Other", "isRegex": false, "isEqual": true}},
		"startsAt": now, "endsAt": now.Add(time.Hour), "createdBy": "bench", "comment": "to be remembered",
	})
	if err != nil {
		return "", err
	}
	var created struct {
		SilenceID string `json:"silenceID"`
	}
	err = json.Unmarshal(answer, &created)
	return created.SilenceID, err
}

// postJSON returns the body of a 200 answer.
func postJSON(ctx context.Context, url string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return post(ctx, url, http.Header{"Content-Type": {"application/json"}}, body)
}

// post returns the body of an answer of success.
func post(ctx context.Context, url string, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	const most = 1 << 20
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("POST %s: %s: %s", url, strconv.Itoa(resp.StatusCode), strings.TrimSpace(string(answer)))
	}
	return answer, nil
}
