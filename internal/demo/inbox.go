package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

const (
	backupPath = "/backup"
	// maxBackups bounds what is kept of the backup channel; the oldest go first.
	maxBackups = 100
	maxBackup  = 1 << 20
)

// An inbox is what people see of notifications: a stand-in for Discord that keeps
// its documented limits, and a second channel by webhook for when Discord is down.
type inbox struct {
	discord    *discordtest.Server
	discordURL string
	down       atomic.Bool

	mu      sync.Mutex
	backups []backup
}

// A backup is a message on the second channel.
type backup struct {
	At     time.Time    `json:"at"`
	Status string       `json:"status"`
	Alerts []backupItem `json:"alerts"`
}

type backupItem struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func newInbox(own string) *inbox {
	// The page shows hundreds of messages, not thousands.
	i := &inbox{discord: discordtest.New(discordtest.Options{MaxMessages: 500})}
	i.discordURL = own + i.discord.Add(discordtest.Webhook{ID: "1", Token: "no-secret", ChannelID: "alerts"})
	return i
}

func (i *inbox) route(mux *http.ServeMux) {
	mux.HandleFunc("/api/webhooks/", func(w http.ResponseWriter, r *http.Request) {
		if i.down.Load() {
			http.Error(w, `{"message": "503: Service Unavailable", "code": 0}`, http.StatusServiceUnavailable)
			return
		}
		i.discord.ServeHTTP(w, r)
	})
	mux.HandleFunc("POST "+backupPath, i.takeBackup)
	mux.HandleFunc("GET /api/inbox", func(w http.ResponseWriter, _ *http.Request) { answer(w, i.contents()) })
}

func (i *inbox) takeBackup(w http.ResponseWriter, r *http.Request) {
	b := backup{At: time.Now()}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBackup)).Decode(&b); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.backups) >= maxBackups {
		i.backups = slices.Delete(i.backups, 0, 1)
	}
	i.backups = append(i.backups, b)
}

// contents are all messages, the newest first.
type contents struct {
	Simulated bool                  `json:"simulated"`
	Down      bool                  `json:"discord_down"`
	Discord   []discordtest.Message `json:"discord"`
	Backup    []backup              `json:"backup"`
}

func (i *inbox) contents() contents {
	i.mu.Lock()
	backups := slices.Clone(i.backups)
	i.mu.Unlock()
	messages := i.discord.Messages()
	slices.Reverse(messages)
	slices.Reverse(backups)
	return contents{Simulated: true, Down: i.down.Load(), Discord: messages, Backup: backups}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // The client may have gone.
}
