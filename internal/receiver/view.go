package receiver

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// View is a message as people are to see it: sorted, with what the alerts share
// told once and what tells them apart with each. Destinations differ only in how
// they draw it.
type View struct {
	State State
	// Name is the alertname, or says how many different alerts there are.
	Name             string
	Firing, Resolved int
	// Since is when the first of the alerts that still fire began, or of all if
	// none fires; Until is when the last one ended, if none fires.
	Since, Until time.Time
	// Summary and Description are set if all alerts share them.
	Summary, Description string
	// Labels are those that all alerts share, less the alertname and severity.
	Labels []Label
	Links  Links
	// Alerts are sorted: firing first, the worst first, the oldest first.
	Alerts []AlertView
	// Notes are what a reader has to know about the message itself.
	Notes []Note
	Test  bool
	Storm *Storm
}

// AlertView is one alert, with what it does not share with the others.
type AlertView struct {
	Alert                *alert.Alert
	State                State
	Name                 string // Empty if it is the view's.
	Labels               []Label
	Summary, Description string // Empty if they are the view's.
	Value, Threshold     string // Empty if not known.
	Since, Until         time.Time
	Links                Links
	Acknowledged         *Acknowledgement
}

// Label is a label or a count, in the order of showing.
type Label struct{ Name, Value string }

// Note is a remark about a message; At is the instant that its text ends with.
type Note struct {
	Text string
	At   time.Time
}

// NewView sorts a message out. Links lead to external, which may be nil.
func NewView(m Message, external *url.URL, now time.Time) View {
	v := View{Test: m.Reason == ReasonTest, Storm: m.Storm, Notes: notes(m, now)}
	if m.Storm != nil {
		v.storm(*m.Storm)
		return v
	}
	b := viewer{m: m, external: external, thresholds: make(map[string]string)}
	b.labels, b.annotations = common(m.Alerts)
	for _, a := range m.Alerts {
		v.Alerts = append(v.Alerts, b.view(a))
	}
	slices.SortStableFunc(v.Alerts, func(a, b AlertView) int {
		return cmp.Or(cmp.Compare(b.State, a.State), a.Since.Compare(b.Since), cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()))
	})
	v.Name = string(b.labels[model.AlertNameLabel])
	if v.Name == "" {
		v.Name = plural(len(m.Alerts), "alert")
	}
	v.Labels = labels(b.labels, model.AlertNameLabel, "severity")
	v.Summary, v.Description = string(b.annotations["summary"]), string(b.annotations["description"])
	v.measure()
	v.Links.Runbook = httpURL(string(b.annotations["runbook_url"]))
	if len(v.Alerts) == 1 {
		v.Links.Graph = v.Alerts[0].Links.Graph
	}
	if v.Firing > 0 {
		v.Links.Silence = silenceURL(external, b.labels)
	}
	return v
}

// viewer makes the views of a message's alerts, knowing what all of them share.
type viewer struct {
	m                   Message
	labels, annotations model.LabelSet
	external            *url.URL
	thresholds          map[string]string // By generator: most alerts of a group have one.
}

func (b viewer) view(a *alert.Alert) AlertView {
	v := AlertView{Alert: a, State: stateOf(a), Since: a.StartsAt, Until: a.EndsAt}
	own := a.Labels.Clone()
	maps.DeleteFunc(own, func(name model.LabelName, _ model.LabelValue) bool { _, ok := b.labels[name]; return ok })
	v.Name = string(own[model.AlertNameLabel])
	v.Labels = labels(own, model.AlertNameLabel)
	v.Summary, v.Description = b.own(a, "summary"), b.own(a, "description")
	v.Links = Links{Graph: httpURL(a.GeneratorURL), Runbook: httpURL(b.own(a, "runbook_url"))}
	if v.State == Resolved {
		return v // The rest is of the past.
	}
	v.Value = cmp.Or(string(a.Annotations["value"]), b.m.Values[a.Fingerprint()])
	v.Threshold = cmp.Or(string(a.Annotations["threshold"]), b.threshold(a.GeneratorURL))
	v.Links.Silence = silenceURL(b.external, a.Labels)
	if ack, ok := b.m.Acknowledged[a.Fingerprint()]; ok {
		v.State, v.Acknowledged = Acknowledged, &ack
	}
	return v
}

// own is an annotation that the alert does not share with the others.
func (b viewer) own(a *alert.Alert, name model.LabelName) string {
	if b.annotations[name] != "" {
		return ""
	}
	return string(a.Annotations[name])
}

func (b viewer) threshold(generatorURL string) string {
	text, known := b.thresholds[generatorURL]
	if !known {
		text = threshold(generatorURL)
		b.thresholds[generatorURL] = text
	}
	return text
}

// measure sums the alerts up.
func (v *View) measure() {
	for _, a := range v.Alerts {
		if a.State == Resolved {
			v.Resolved++
		} else {
			v.Firing++
		}
	}
	v.State = Resolved
	for _, a := range v.Alerts {
		v.State = max(v.State, a.State)
		if a.Until.After(v.Until) && v.Firing == 0 {
			v.Until = a.Until
		}
		counts := a.State != Resolved || v.Firing == 0
		if counts && (v.Since.IsZero() || a.Since.Before(v.Since)) {
			v.Since = a.Since
		}
	}
}

// storm describes many groups by their numbers.
func (v *View) storm(s Storm) {
	v.State, v.Name = Critical, "Alert storm"
	if s.Firing == 0 {
		v.State = Resolved
	}
	v.Firing, v.Resolved, v.Since = s.Firing, s.Resolved, s.Since
	v.Summary = plural(s.Groups, "group") + " of alerts within a short time, told in one message."
	if s.Over {
		v.Summary = "The storm is over; alerts are told one group at a time again."
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.ByName), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.ByName[b], s.ByName[a]), cmp.Compare(a, b))
	}) {
		v.Labels = append(v.Labels, Label{name, plural(s.ByName[name], "alert")})
	}
}

// lateAfter is the delay from which a reader should know that he reads history.
const lateAfter = 30 * time.Second

func notes(m Message, now time.Time) []Note {
	var ns []Note
	if m.QueuedAt.IsZero() || m.Reason == ReasonTest {
		return nil
	}
	if late := m.Late(now); late >= lateAfter {
		ns = append(ns, Note{"Late by " + model.Duration(late.Round(time.Second)).String() + ": this was to be told at", m.QueuedAt})
	}
	if m.Superseded > 0 {
		ns = append(ns, Note{Text: plural(m.Superseded, "older state") + " of this group could not be told in time; this is the newest."})
	}
	return ns
}

// common returns the labels and annotations that all alerts share.
func common(alerts []*alert.Alert) (labels, annotations model.LabelSet) {
	if len(alerts) == 0 {
		return model.LabelSet{}, model.LabelSet{}
	}
	labels, annotations = alerts[0].Labels.Clone(), alerts[0].Annotations.Clone()
	for _, a := range alerts[1:] {
		keepEqual(labels, a.Labels)
		keepEqual(annotations, a.Annotations)
	}
	return labels, annotations
}

func keepEqual(set, other model.LabelSet) {
	maps.DeleteFunc(set, func(name model.LabelName, value model.LabelValue) bool { return other[name] != value })
}

func labels(set model.LabelSet, except ...model.LabelName) []Label {
	var ls []Label
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(except, name) && set[name] != "" {
			ls = append(ls, Label{string(name), string(set[name])})
		}
	}
	return ls
}
