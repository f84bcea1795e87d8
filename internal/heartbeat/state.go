package heartbeat

import (
	"encoding/json"
	"fmt"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

// open opens the journal and takes up what it knows of the heartbeats.
func (h *Heartbeats) open(path string) error {
	j, damaged, err := journal.Open(path)
	if err != nil {
		return fmt.Errorf("load heartbeats: %w", err)
	}
	h.journal = j
	if damaged > 0 {
		h.deps.Logger.Warn("Some heartbeats of before the restart are forgotten", "file", path, "damaged_bytes", damaged)
	}
	for name, value := range j.All() {
		var s signs
		b := h.beats[name]
		if b == nil || json.Unmarshal(value, &s) != nil {
			h.unsaved[name] = struct{}{} // Not configured any more, or not ours.
			continue
		}
		b.restore(s, h.start)
	}
	return nil
}

func (h *Heartbeats) isUnsaved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.unsaved) > 0
}

// save writes what has changed. What cannot be written is written with the next
// change.
func (h *Heartbeats) save() {
	h.mu.Lock()
	changes := make([]journal.Change, 0, len(h.unsaved))
	for name := range h.unsaved {
		change := journal.Change{Key: name}
		if b := h.beats[name]; b != nil {
			change.Value, _ = json.Marshal(b.signs) // Texts and times always marshal.
		}
		changes = append(changes, change)
	}
	clear(h.unsaved)
	h.mu.Unlock()

	if len(changes) == 0 {
		return
	}
	if err := h.journal.Write(changes...); err != nil {
		h.metrics.saveFailures.Inc()
		h.deps.Logger.Error("Heartbeats of now would be forgotten at a restart", "err", err)
	}
}
