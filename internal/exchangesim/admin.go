package exchangesim

import (
	"encoding/json"
	"net/http"
	"time"
)

// Status is what the admin API tells.
type Status struct {
	Now    time.Time `json:"now"`
	Counts Counts    `json:"counts"`
	Faults []Fault   `json:"faults"`
}

// admin serves the admin API:
//
//	GET /sim/status      counts and faults
//	POST /sim/faults     a Fault that begins
//	DELETE /sim/faults   ends all, or those of ?kind=
func (e *Exchange) admin(w http.ResponseWriter, r *http.Request, path string) {
	switch r.Method + " " + path {
	case "GET status":
		e.mu.Lock()
		s := Status{Now: e.now(), Faults: []Fault{}}
		for _, f := range e.expire(s.Now) {
			s.Faults = append(s.Faults, f.Fault)
		}
		e.mu.Unlock()
		s.Counts = e.Counts()
		write(w, s, nil)
	case "POST faults":
		var f Fault
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		d.DisallowUnknownFields()
		err := d.Decode(&f)
		if err == nil {
			err = e.Inject(f)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case "DELETE faults":
		e.Clear(FaultKind(r.FormValue("kind")))
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}
