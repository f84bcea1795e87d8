package api

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// AlertHistory is one page of GET /api/hw/v1/alerts/history.
type AlertHistory struct {
	Transitions []state.Transition `json:"transitions"`
	// NextCursor is what to send as cursor for the next page; absent at the end.
	NextCursor string `json:"nextCursor,omitempty"`
}

func (s *Server) alertHistoryRoutes() []Route {
	return []Route{{
		Method: http.MethodGet, Path: "/alerts/history", BeforeReady: true,
		Summary: "What became of alerts, newest first; as pages, or whole as a file.", Response: AlertHistory{},
		Query: []Param{
			{Name: "from", Description: "Not before this time: RFC 3339, or Unix seconds."},
			{Name: "to", Description: "Not after this time."},
			{Name: "alertname", Description: "Only alerts of this name."},
			{Name: "fingerprint", Description: "Only this alert."},
			{Name: "filter", Description: `Only alerts with such labels: a matcher as in Alertmanager, severity="page"; may be repeated.`},
			{Name: "limit", Description: "Most entries of a page, up to 10000; 100."},
			{Name: "cursor", Description: "The nextCursor of the page before."},
			{Name: "format", Description: "csv or json: all that match, as a file."},
		},
		Handler: http.HandlerFunc(s.alertHistory),
	}}
}

func (s *Server) alertHistory(w http.ResponseWriter, r *http.Request) {
	filter, err := historyFilter(r)
	if err != nil {
		writeError(w, err)
		return
	}
	switch format := r.URL.Query().Get("format"); format {
	case "":
		answers(func(r *http.Request) (any, error) { return s.historyPage(r, filter) }).ServeHTTP(w, r)
	case "csv":
		download(w, "text/csv; charset=utf-8", "alert-history.csv")
		s.streamHistory(w, r, filter, newCSVHistory)
	case "json":
		download(w, "application/json", "alert-history.json")
		s.streamHistory(w, r, filter, newJSONHistory)
	default:
		writeError(w, badRequest("format "+strconv.Quote(format)+": use csv or json"))
	}
}

func historyFilter(r *http.Request) (f state.TransitionFilter, err error) {
	q := r.URL.Query()
	if f.From, err = timeParam(q.Get("from"), "from"); err != nil {
		return f, err
	}
	if f.To, err = timeParam(q.Get("to"), "to"); err != nil {
		return f, err
	}
	if f.After, err = state.ParseCursor(q.Get("cursor")); err != nil {
		return f, err
	}
	f.Alertname, f.Fingerprint = q.Get("alertname"), q.Get("fingerprint")
	f.Match, err = matchFilter(q["filter"])
	return f, err
}

// matchFilter reads Alertmanager's matchers; nil matches everything.
func matchFilter(texts []string) (func(map[string]string) bool, error) {
	var matchers []func(map[string]string) bool
	for _, text := range texts {
		m, err := parse.Matcher(text)
		if err != nil {
			return nil, badRequest("filter " + strconv.Quote(text) + ": " + err.Error())
		}
		matchers = append(matchers, func(labels map[string]string) bool { return m.Matches(labels[m.Name]) })
	}
	if matchers == nil {
		return nil, nil
	}
	return func(labels map[string]string) bool {
		for _, match := range matchers {
			if !match(labels) {
				return false
			}
		}
		return true
	}, nil
}

// timeParam reads a time as the Prometheus API does; "" is the zero time.
func timeParam(text, name string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < math.MaxInt64/1e9 {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Time{}, badRequest(name + " " + strconv.Quote(text) + ": use a time such as 2026-05-01T12:00:00Z, or Unix seconds")
}

func (s *Server) historyPage(r *http.Request, f state.TransitionFilter) (any, error) {
	limit, err := limitParam(r, 100, 10_000)
	if err != nil {
		return nil, err
	}
	page := AlertHistory{Transitions: []state.Transition{}}
	err = s.deps.State.Transitions(r.Context(), f, func(t state.Transition) bool {
		if len(page.Transitions) == limit {
			page.NextCursor = state.CursorOf(page.Transitions[limit-1]).String()
			return false
		}
		page.Transitions = append(page.Transitions, t)
		return true
	})
	return orError(page, err)
}

// historyWriter is a format that takes one step after the other.
type historyWriter interface {
	write(state.Transition) error
	end() error
}

// streamHistory writes all that match, however long that is.
func (s *Server) streamHistory(w http.ResponseWriter, r *http.Request, f state.TransitionFilter, format func(io.Writer) historyWriter) {
	out := bufio.NewWriterSize(w, 64<<10)
	history := format(out)
	var writeErr error
	err := s.deps.State.Transitions(r.Context(), f, func(t state.Transition) bool {
		writeErr = history.write(t)
		return writeErr == nil
	})
	for _, step := range []func() error{func() error { return writeErr }, history.end, out.Flush} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		s.abort(r, err)
	}
}

type csvHistory struct{ w *csv.Writer }

func newCSVHistory(w io.Writer) historyWriter {
	h := csvHistory{csv.NewWriter(w)}
	// An error stays in the writer until end.
	_ = h.w.Write([]string{"time", "alertname", "from", "to", "value", "labels", "annotations", "receiver", "message_id", "who", "note", "fingerprint"})
	return h
}

func (h csvHistory) write(t state.Transition) error {
	labels, err := json.Marshal(t.Labels)
	if err != nil {
		return err
	}
	annotations, err := json.Marshal(t.Annotations)
	if err != nil {
		return err
	}
	value := ""
	if !math.IsNaN(float64(t.Value)) {
		value = t.Value.String()
	}
	row := []string{
		t.Time.Format(time.RFC3339Nano), t.Labels[model.AlertNameLabel], t.From, t.To, value, string(labels), string(annotations),
		t.Receiver, t.MessageID, t.Who, t.Note, t.Fingerprint,
	}
	for i, cell := range row {
		row[i] = inert(cell)
	}
	return h.w.Write(row)
}

// inert keeps spreadsheets from running a label as a formula. Numbers may be
// negative.
func inert(cell string) string {
	if cell == "" {
		return cell
	}
	switch cell[0] {
	case '=', '+', '-', '@', '\t', '\r':
		if _, err := strconv.ParseFloat(cell, 64); err != nil {
			return "'" + cell
		}
	}
	return cell
}

func (h csvHistory) end() error {
	h.w.Flush()
	return h.w.Error()
}

type jsonHistory struct {
	w     io.Writer
	comma string
}

func newJSONHistory(w io.Writer) historyWriter { return &jsonHistory{w: w, comma: "[\n"} }

func (h *jsonHistory) write(t state.Transition) error {
	line, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = io.WriteString(h.w, h.comma+string(line))
	h.comma = ",\n"
	return err
}

func (h *jsonHistory) end() error {
	if h.comma == "[\n" {
		_, err := io.WriteString(h.w, "[]\n")
		return err
	}
	_, err := io.WriteString(h.w, "\n]\n")
	return err
}
