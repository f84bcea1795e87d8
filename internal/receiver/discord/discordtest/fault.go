package discordtest

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// Fault makes requests fail. The zero value of a field does not restrict it.
type Fault struct {
	// Times is how many requests fail; Until is when the fault ends by itself.
	// One of them should be set.
	Times int
	Until time.Time
	// Method and Webhook select requests.
	Method, Webhook string

	// What happens, the first that is set: the request hangs until the client
	// gives up; the connection breaks before the request is looked at, or after
	// it took effect; the answer is Status, with RetryAfter if that is set.
	Hang       bool
	Close      bool
	CloseLate  bool
	Status     int
	RetryAfter time.Duration
}

// Inject adds a fault. Faults apply in the order in which they were added.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// fault returns the fault that hits a request, if any.
func (s *Server) fault(r *http.Request, id string, now time.Time) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.faults); i++ {
		f := s.faults[i]
		if !f.Until.IsZero() && !now.Before(f.Until) {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			i--
			continue
		}
		if f.Method != "" && f.Method != r.Method || f.Webhook != "" && f.Webhook != id {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return f
	}
	return nil
}

// suffer lets a fault happen before the request has an effect. It reports
// whether the request is over with that.
func (f *Fault) suffer(w *recorder, r *http.Request) (over bool) {
	switch {
	case f == nil, f.CloseLate:
		return false
	case f.Hang:
		// net/http notices that the client has gone once the body is read.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBodyBytes))
		<-r.Context().Done()
		w.abort = true
	case f.Close:
		w.abort = true
	case f.Status != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.FormatFloat(f.RetryAfter.Seconds(), 'f', -1, 64))
		}
		// As from the guard before Discord: not JSON.
		w.answer(f.Status, "text/html", []byte("<html><body>"+http.StatusText(f.Status)+"</body></html>"))
	default:
		return false
	}
	return true
}
