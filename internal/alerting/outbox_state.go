package alerting

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// maxCarried bounds the ended alerts that a waiting state takes over from the
// ones before it.
const maxCarried = 1000

// groupState is what a group's receivers are to be told, as the outbox keeps it.
type groupState struct {
	// ID names the message about this state.
	ID          string         `json:"id"`
	Destination destinationKey `json:"destination"`
	// Seq orders all states of the outbox.
	Seq         uint64          `json:"seq"`
	GroupKey    string          `json:"groupKey"`
	GroupLabels model.LabelSet  `json:"groupLabels,omitempty"`
	Reason      receiver.Reason `json:"reason"`
	Alerts      []*alert.Alert  `json:"alerts"`
	// QueuedAt is when this state was to be told; Since, when the oldest one
	// was that it stands for.
	QueuedAt   time.Time `json:"queuedAt"`
	Since      time.Time `json:"since"`
	Superseded int       `json:"superseded,omitempty"`
	// Values are those of the firing alerts, as people read them.
	Values map[model.Fingerprint]string `json:"values,omitempty"`
	// Origins are the measured times of the alerts that are news in this state.
	Origins map[model.Fingerprint]Origin `json:"origins,omitempty"`

	// Firing and Resolved are the alerts as the notification log has them.
	Firing   []uint64 `json:"firing,omitempty"`
	Resolved []uint64 `json:"resolved,omitempty"`

	// What Alertmanager's own receivers ask their context for.
	RouteID        string         `json:"routeID,omitempty"`
	RouteLabels    model.LabelSet `json:"routeLabels,omitempty"`
	RepeatInterval time.Duration  `json:"repeatInterval,omitempty"`
	NotifyReason   string         `json:"notifyReason,omitempty"`
}

// decodeState reads a state as a file has it.
func decodeState(value []byte) (*groupState, error) {
	var s groupState
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, err
	}
	if slices.Contains(s.Alerts, nil) {
		return nil, errors.New("it has an alert that is none")
	}
	return &s, nil
}

// newMessageID returns an ID that sorts by time and says it: [idTime] reads it.
func newMessageID(now time.Time) string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%012x%s", now.UnixMilli(), hex.EncodeToString(random[:]))
}

// idTime is the time at which an ID was made, false if it is none of ours.
func idTime(id string) (time.Time, bool) {
	if len(id) < 12 {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(id[:12], 16, 64)
	return time.UnixMilli(ms), err == nil
}

// reasonOf is the library's reason in our words.
func reasonOf(r notify.NotifyReason) receiver.Reason {
	switch r {
	case notify.ReasonFirstNotification, notify.ReasonNewAlertsInGroup:
		return receiver.ReasonFiring
	case notify.ReasonAllAlertsResolved:
		return receiver.ReasonResolved
	case notify.ReasonRepeatIntervalElapsed:
		return receiver.ReasonRepeat
	}
	return receiver.ReasonUpdate
}

// parseNotifyReason finds the library's reason by its name.
func parseNotifyReason(name string) notify.NotifyReason {
	for r := notify.ReasonDoNotNotify; r < notify.ReasonUnknown; r++ {
		if r.String() == name {
			return r
		}
	}
	return notify.ReasonUnknown
}

// after returns the state to tell when the older one has not been told: the
// newer one, with what only the older one knows. That is the end of alerts that
// have left the group since.
func (s *groupState) after(old *groupState) *groupState {
	if old == nil {
		return s
	}
	merged := *s
	merged.Since = old.Since
	merged.Superseded = s.Superseded + old.Superseded + 1

	have := make(map[model.Fingerprint]bool, len(s.Alerts))
	for _, a := range s.Alerts {
		have[a.Fingerprint()] = true
	}
	var carried []*alert.Alert
	for _, a := range old.Alerts {
		if a.Resolved() && !have[a.Fingerprint()] {
			carried = append(carried, a)
		}
	}
	if len(carried) > maxCarried {
		slices.SortFunc(carried, func(a, b *alert.Alert) int { return b.EndsAt.Compare(a.EndsAt) })
		carried = carried[:maxCarried]
	}
	merged.Alerts = append(slices.Clip(s.Alerts), carried...)

	if len(old.Origins) > 0 {
		merged.Origins = maps.Clone(old.Origins)
		maps.Copy(merged.Origins, s.Origins)
	}
	merged.Reason = mergedReason(old.Reason, s.Reason, merged.fires())
	return &merged
}

func mergedReason(older, newer receiver.Reason, fires bool) receiver.Reason {
	switch {
	case !fires:
		return receiver.ReasonResolved
	case older == receiver.ReasonFiring || newer == receiver.ReasonFiring:
		return receiver.ReasonFiring
	case older == receiver.ReasonRepeat && newer == receiver.ReasonRepeat:
		return receiver.ReasonRepeat
	}
	return receiver.ReasonUpdate
}

func (s *groupState) fires() bool {
	return slices.ContainsFunc(s.Alerts, func(a *alert.Alert) bool { return !a.Resolved() })
}
