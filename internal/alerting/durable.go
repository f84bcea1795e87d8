package alerting

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protodelim"
)

// The keys of the journal. Silences and notifications are kept in the library's
// own encoding, one length-delimited message each, so that all of them in a row
// are a snapshot as the library loads it.
const (
	alertPrefix        = "alert/"        // + fingerprint
	silencePrefix      = "silence/"      // + ID
	notificationPrefix = "notification/" // + receiver, integration, index, group key
)

func alertKey(fp model.Fingerprint) string { return alertPrefix + fp.String() }

// syncTimeout bounds how long a disk that hangs holds up a notification or an
// answer. A disk that refuses holds up nothing.
const syncTimeout = time.Second

// awaitDisk waits, within bounds, until all changes so far are on disk. Its
// error means that they are safe in memory only; the journal has logged why.
func (j *journal) awaitDisk(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	return j.sync(ctx)
}

// snapshot returns the entries under prefix in a row.
func (j *journal) snapshot(prefix string) *bytes.Buffer {
	var b bytes.Buffer
	j.each(prefix, func(_ string, value []byte) { b.Write(value) })
	return &b
}

// saveSilence is the library's broadcast hook: it is called with each silence
// that has changed, under the lock of the silences.
func (j *journal) saveSilence(message []byte) {
	var s silencepb.MeshSilence
	if err := protodelim.UnmarshalFrom(bytes.NewReader(message), &s); err != nil {
		j.logger.Error("A silence will not survive a restart", "err", err)
		return
	}
	j.set(silencePrefix+s.Silence.GetId(), entry{value: message, expires: s.ExpiresAt.AsTime()})
}

// saveNotification is the library's broadcast hook for the notification log.
func (j *journal) saveNotification(message []byte) {
	var e nflogpb.MeshEntry
	if err := protodelim.UnmarshalFrom(bytes.NewReader(message), &e); err != nil {
		j.logger.Error("A notification may be sent again after a restart", "err", err)
		return
	}
	r := e.Entry.GetReceiver()
	key := fmt.Sprintf("%s%s/%s/%d:%s", notificationPrefix, r.GetGroupName(), r.GetIntegration(), r.GetIdx(), e.Entry.GetGroupKey())
	j.set(key, entry{value: message, expires: e.ExpiresAt.AsTime()})
}

// durableLog is the notification log that does not go on before an entry is on
// disk.
type durableLog struct {
	log     *nflog.Log
	journal *journal
}

var _ notify.NotificationLog = durableLog{}

// Query implements notify.NotificationLog.
func (l durableLog) Query(params ...nflog.QueryParam) ([]*nflogpb.Entry, error) {
	return l.log.Query(params...)
}

// Log implements notify.NotificationLog.
func (l durableLog) Log(r *nflogpb.Receiver, groupKey string, firing, resolved []uint64, store *nflog.Store, expiry time.Duration) error {
	if err := l.log.Log(r, groupKey, firing, resolved, store, expiry); err != nil {
		return err
	}
	// Not even a full disk makes a delivered notification an undelivered one.
	_ = l.journal.awaitDisk(context.Background())
	return nil
}

// ensure makes the log know of a state that is in the outbox. The pipeline does
// so too, but after the outbox has the state: a crash in between would have it
// notify once more.
func (l durableLog) ensure(s *groupState) {
	if s.RouteID == "" {
		return // It did not come by the pipeline.
	}
	r := &nflogpb.Receiver{GroupName: s.Destination.Receiver, Integration: s.Destination.Integration, Idx: uint32(s.Destination.Index)}
	known, err := l.log.Query(nflog.QReceiver(r), nflog.QGroupKey(s.GroupKey))
	if err != nil || len(known) == 0 || known[0].Timestamp.AsTime().Before(s.QueuedAt) {
		// It only fails where an entry cannot be encoded.
		_ = l.log.Log(r, s.GroupKey, s.Firing, s.Resolved, nil, 2*s.RepeatInterval)
	}
}
