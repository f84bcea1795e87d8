package receiver

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswer is how much of an answer's body is read.
	maxAnswer = 1 << 20
	// maxShown is how much of it a ledger keeps.
	maxShown = 1 << 10
	// MaxPause bounds what a destination may ask for: after an hour it is asked
	// again, whatever it said.
	MaxPause = time.Hour
)

// Answer is what a server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes a request and reads the answer, within bounds. The URL, which often
// is a secret, is in no error of its.
func Do(client *http.Client, req *http.Request) (Answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, WithoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode/100 != 2 {
		err = nil // The status says enough.
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, WithoutURL(err)
}

// WithoutURL takes the URL out of an error of net/http.
func WithoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// Shown is the beginning of the body, without the given secrets.
func (a Answer) Shown(secrets ...string) string {
	text := string(a.Body)
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "<secret>")
		}
	}
	return Clip(strings.ToValidUTF8(text, "�"), maxShown)
}

// RetryAfter reads the header of that name: seconds, also fractions of them, or
// a date. It is false where there is none that makes sense.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return Pause(seconds)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), MaxPause), true
	}
	return 0, false
}

// Pause makes a duration of what a server gives as seconds.
func Pause(seconds float64) (time.Duration, bool) {
	if math.IsNaN(seconds) || seconds < 0 {
		return 0, false
	}
	if seconds > MaxPause.Seconds() {
		return MaxPause, true
	}
	return time.Duration(math.Ceil(seconds*1e3)) * time.Millisecond, true
}

// Clip cuts text to n bytes, at the end of a character.
func Clip(text string, n int) string {
	const mark = "…"
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len(mark)], "") + mark
}

// UserAgent names this program to the servers that it calls.
const UserAgent = "hedgewatch (+https://github.com/hedgewatch/hedgewatch)"
