package capacity

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/history"
)

// Handler serves GET with the parameters range, to, margin and kind; the answer
// is a [Report].
func (c *Capacity) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := parse(r.FormValue)
		if err != nil {
			history.Answer(w, nil, err)
			return
		}
		report, err := c.Report(r.Context(), request)
		history.Answer(w, report, err)
	})
}

func parse(value func(name string) string) (request Request, err error) {
	request.Kind = value("kind")
	if text := value("range"); text != "" {
		d, err := model.ParseDuration(text)
		if err != nil || d == 0 {
			return request, bad("range: %q is no duration such as 7d", text)
		}
		request.Range = time.Duration(d)
	}
	if text := value("to"); text != "" {
		if request.To, err = time.Parse(time.RFC3339, text); err != nil {
			return request, bad("to: %q is no time such as 2026-05-01T12:00:00Z", text)
		}
	}
	if text := value("margin"); text != "" {
		if request.Margin, err = strconv.ParseFloat(text, 64); err != nil || request.Margin == 0 {
			return request, bad("margin: %q is no share such as 0.2", text)
		}
	}
	return request, nil
}

// Query writes a request as the handler reads it.
func (r Request) Query() url.Values {
	q := url.Values{"range": {model.Duration(r.Range).String()}, "margin": {fmt.Sprint(r.Margin)}}
	if r.Kind != "" {
		q.Set("kind", r.Kind)
	}
	if !r.To.IsZero() {
		q.Set("to", r.To.Format(time.RFC3339))
	}
	return q
}
