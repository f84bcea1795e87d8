package anomaly

import (
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/history"
)

// Handler serves GET with the parameters expr, range, to and step; the answer is
// a [Report].
func (a *Anomalies) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := parse(r.FormValue)
		if err != nil {
			history.Answer(w, nil, err)
			return
		}
		report, err := a.Report(r.Context(), request)
		history.Answer(w, report, err)
	})
}

func parse(value func(name string) string) (request Request, err error) {
	request.Expr = value("expr")
	for name, into := range map[string]*time.Duration{"range": &request.Range, "step": &request.Step} {
		if text := value(name); text != "" {
			d, err := model.ParseDuration(text)
			if err != nil || d == 0 {
				return request, bad("%s: %q is no duration such as 5m", name, text)
			}
			*into = time.Duration(d)
		}
	}
	if text := value("to"); text != "" {
		if request.To, err = time.Parse(time.RFC3339, text); err != nil {
			return request, bad("to: %q is no time such as 2026-05-01T12:00:00Z", text)
		}
	}
	return request, nil
}

// Query writes a request as the handler reads it.
func (r Request) Query() url.Values {
	q := url.Values{"expr": {r.Expr}, "range": {model.Duration(r.Range).String()}, "step": {model.Duration(r.Step).String()}}
	if !r.To.IsZero() {
		q.Set("to", r.To.Format(time.RFC3339))
	}
	return q
}
