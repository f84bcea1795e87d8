package receiver

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
)

// Data is a message as Alertmanager's templates and webhooks know it.
func Data(t *template.Template, m Message) *template.Data {
	reason := m.NotificationReason
	if reason == "" {
		reason = notifyReason(m).String()
	}
	data := t.Data(m.Receiver, m.GroupLabels, m.RouteLabels, reason, WithStorm(m)...)
	template.MarkRouteLabelsRendered(data)
	return data
}

func notifyReason(m Message) notify.NotifyReason {
	switch m.Reason {
	case ReasonFiring:
		if len(m.Memo) > 0 {
			return notify.ReasonNewAlertsInGroup
		}
		return notify.ReasonFirstNotification
	case ReasonRepeat:
		return notify.ReasonRepeatIntervalElapsed
	case ReasonResolved:
		return notify.ReasonAllAlertsResolved
	case ReasonUpdate:
		return notify.ReasonNewResolvedAlerts
	}
	return notify.ReasonUnknown
}

// CheckTemplate reports a template that can never be executed. One that only
// fails on some data is left to the moment when it does.
func CheckTemplate(t *template.Template, text string) error {
	_, err := t.ExecuteTextString(text, Data(t, sample()))
	var failed texttemplate.ExecError
	if err == nil || errors.As(err, &failed) {
		return nil
	}
	return fmt.Errorf("template %q: %w", text, err)
}

// Customized tells whether text, executed with the user's templates, says
// something else than the library's own: `{{ template "discord.default.title" . }}`
// does if a file of the user defines that template anew. standard is the text
// that stands for the library's own.
func Customized(t *template.Template, text, standard string) bool {
	if text != standard {
		return true
	}
	builtin, err := template.FromGlobs(nil)
	if err != nil {
		return false
	}
	builtin.ExternalURL = t.ExternalURL
	users, err := t.ExecuteTextString(text, Data(t, sample()))
	if err != nil {
		return true
	}
	library, err := builtin.ExecuteTextString(text, Data(builtin, sample()))
	return err != nil || users != library
}

// sample is a message with something of everything that templates look at.
func sample() Message {
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	one := &alert.Alert{Alert: model.Alert{
		Labels:       model.LabelSet{model.AlertNameLabel: "Sample", "severity": "critical", "instance": "one"},
		Annotations:  model.LabelSet{"summary": "Something is wrong.", "description": "Look."},
		StartsAt:     at,
		GeneratorURL: "http://localhost/graph",
	}}
	two := *one
	two.Labels = model.LabelSet{model.AlertNameLabel: "Sample", "severity": "critical", "instance": "two"}
	two.EndsAt = at.Add(time.Minute)
	return Message{
		Receiver: "sample", GroupLabels: model.LabelSet{model.AlertNameLabel: "Sample"},
		Alerts: []*alert.Alert{one, &two}, Reason: ReasonFiring,
	}
}

// HidePath is a URL without what may be secret in it: user, path and query.
func HidePath(u *url.URL) string {
	hidden := u.Scheme + "://" + u.Host
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		hidden += "/<secret>"
	}
	return hidden
}
