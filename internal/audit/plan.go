package audit

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Plan is how the platform can fetch what it lacks. hedgewatch only tells.
type Plan struct {
	Requests []PlannedRequest `json:"requests"`
	// Weight of all requests, in the market's limit.
	Weight int64 `json:"weight"`
	// Until is when the exchange no longer gives the data; zero means never.
	Until time.Time `json:"until,omitzero"`
	// Urgency is expired, now, today or any.
	Urgency string `json:"urgency"`
}

// PlannedRequest is a request for the platform's own client; one that needs a
// signature says so.
type PlannedRequest struct {
	Method string `json:"method"`
	Market string `json:"market"`
	Path   string `json:"path"`
	Query  string `json:"query"`
	Weight int64  `json:"weight"`
	Signed bool   `json:"signed,omitempty"`
}

// maxPlanned bounds the requests of one plan; a longer gap is better fetched from
// the archives.
const maxPlanned = 200

// retention is how long the exchange gives rows by REST; API docs, 2026-07.
// Futures' aggregate trades are refused (-4166) after one to two days.
func retention(s Series) time.Duration {
	switch {
	case s.Dataset == AggTrades && s.Market != "spot":
		return day
	case s.Dataset == Incomes:
		return 90 * day
	case s.Dataset == UserTrades && s.Market != "spot":
		return 180 * day
	}
	return 0
}

// plan returns how to mend a finding, nil for what a request does not mend.
func (x *exchange) plan(f *Finding, now time.Time) *Plan {
	if f.Cause != Platform || f.Kind != Missing && f.Kind != Mismatch || len(f.Symbols) > 0 {
		return nil
	}
	var requests []request
	signed := false
	switch s := f.Series; s.Dataset {
	case Klines:
		requests = x.klineRequests(s, f.From, f.To)
	case UserTrades:
		signed = true
		requests = x.spans(fillsPath(s.Market), url.Values{"symbol": {s.Symbol}, "limit": {"1000"}}, f, window(s.Market))
	case Incomes:
		signed = true
		requests = x.spans(incomePath(s.Market), url.Values{"limit": {"1000"}}, f, window(s.Market))
	case AggTrades, Trades:
		if f.LastID != 0 {
			requests = idRequests(s, idRun{f.FirstID, f.LastID})
		} else if s.Dataset == AggTrades {
			requests = x.spans(publicPath(s), url.Values{"symbol": {s.Symbol}, "limit": {"1000"}}, f, time.Hour)
		}
	}
	if len(requests) == 0 || len(requests) > maxPlanned {
		return nil
	}
	p := &Plan{}
	for _, r := range requests {
		w := x.weight(r.path, r.query)
		p.Weight += w
		p.Requests = append(p.Requests, PlannedRequest{
			Method: http.MethodGet, Market: f.Series.Market, Path: r.path, Query: r.query.Encode(), Weight: w, Signed: signed,
		})
	}
	if keep := retention(f.Series); keep > 0 {
		p.Until = f.From.Add(keep)
	}
	p.Urgency = urgency(p.Until, now)
	return p
}

func urgency(until, now time.Time) string {
	switch left := until.Sub(now); {
	case until.IsZero() || left > 3*day:
		return "any"
	case left <= 0:
		return "expired"
	case left < 12*time.Hour:
		return "now"
	}
	return "today"
}

// spans splits a range into requests that are no longer than the exchange takes.
func (x *exchange) spans(path string, query url.Values, f *Finding, longest time.Duration) []request {
	var list []request
	for at := f.From; !at.After(f.To) && len(list) <= maxPlanned; at = at.Add(longest) {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		end := at.Add(longest)
		if end.After(f.To) {
			end = f.To.Add(time.Millisecond)
		}
		q.Set("startTime", strconv.FormatInt(at.UnixMilli(), 10))
		q.Set("endTime", strconv.FormatInt(end.UnixMilli()-1, 10))
		list = append(list, request{path, q})
	}
	return list
}
