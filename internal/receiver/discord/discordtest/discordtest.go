// Package discordtest is a stand-in for Discord's webhooks that is as strict as
// the real ones: it enforces the documented limits of lengths and rates, keeps
// the messages as their readers would see them, and fails on demand.
//
// It is for tests and demonstrations. It knows no users, no permissions and no
// markdown. Start with [New]; a Server is an http.Handler.
package discordtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options change how strict a Server is. Zero values mean the defaults, which
// are what Discord documents or is known to do, as of 2026-06.
type Options struct {
	// A webhook takes Burst requests of one method per Window: 5 in 2 s.
	// discord/discord-api-docs#6753
	Burst  int
	Window time.Duration
	// A channel takes ChannelBurst new messages per ChannelWindow: 30 in 1 min. No
	// header tells of it before it is met. discord/discord-api-docs#367
	ChannelBurst  int
	ChannelWindow time.Duration
	// An address may make Global requests per second: 50.
	// https://docs.discord.com/developers/topics/rate-limits#global-rate-limit
	Global int
	// MaxInvalid answers of 401, 403, 404 and 429 within InvalidWindow ban the
	// address for InvalidWindow: 10,000 in 10 min. The documents count 404 only
	// for webhooks that are gone; so does this.
	MaxInvalid    int
	InvalidWindow time.Duration
	// MaxMessages bounds what is kept; the oldest go first. 10,000.
	MaxMessages int
}

// Server is Discord, as far as webhooks see it.
type Server struct {
	opts Options

	mu       sync.Mutex
	webhooks map[string]*webhook
	messages []*Message
	requests []Request
	faults   []*Fault
	windows  map[string]*window
	bannedTo time.Time
	lastID   uint64
	changed  chan struct{} // Closed and replaced when a message changes.
}

// Webhook is a webhook to be.
type Webhook struct {
	ID, Token, ChannelID string
	// Forum makes the channel one in which each message belongs to a thread.
	Forum bool
	// Threads are those that exist in the channel.
	Threads []string
}

type webhook struct {
	Webhook
	deleted bool
}

// New is a Discord without webhooks.
func New(o Options) *Server {
	def(&o.Burst, 5)
	def(&o.Window, 2*time.Second)
	def(&o.ChannelBurst, 30)
	def(&o.ChannelWindow, time.Minute)
	def(&o.Global, 50)
	def(&o.MaxInvalid, 10_000)
	def(&o.InvalidWindow, 10*time.Minute)
	def(&o.MaxMessages, 10_000)
	return &Server{opts: o, webhooks: make(map[string]*webhook), windows: make(map[string]*window), changed: make(chan struct{})}
}

func def[T comparable](value *T, d T) {
	var zero T
	if *value == zero {
		*value = d
	}
}

// Add makes a webhook and returns the path of its URL.
func (s *Server) Add(w Webhook) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ChannelID == "" {
		w.ChannelID = "9" + w.ID
	}
	s.webhooks[w.ID] = &webhook{Webhook: w}
	return fmt.Sprintf("/api/webhooks/%s/%s", w.ID, w.Token)
}

// Delete deletes a webhook, as an administrator of its channel does.
func (s *Server) Delete(webhookID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.webhooks[webhookID]; w != nil {
		w.deleted = true
	}
}

// DeleteMessage deletes a message, as a person may.
func (s *Server) DeleteMessage(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m *Message) bool { return m.ID == id })
	s.announce()
}

// Messages returns what the channels show now, oldest first.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Message, len(s.messages))
	for i, m := range s.messages {
		all[i] = m.clone()
	}
	return all
}

// Changed is closed when a message is next posted, edited or deleted.
func (s *Server) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Request is a request that was made, without its body.
type Request struct {
	At      time.Time
	Method  string
	Webhook string
	Message string // The ID of the message that it was about, if any.
	Status  int    // 0 if there was no answer.
}

// Requests returns the last 100,000 requests, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count returns how many requests had a status.
func (s *Server) Count(status int) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Status == status {
			n++
		}
	}
	return n
}

const maxRequests = 100_000

func (s *Server) note(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, maxRequests/10)
	}
	s.requests = append(s.requests, r)
	s.countInvalid(r)
}

// nextID makes a snowflake: they grow with time.
// https://docs.discord.com/developers/reference#snowflakes
func (s *Server) nextID(now time.Time) string {
	const epoch = 1420070400000 // The first second of 2015, in ms.
	s.lastID = max(s.lastID+1, uint64(max(now.UnixMilli()-epoch, 0))<<22)
	return strconv.FormatUint(s.lastID, 10)
}

var _ http.Handler = (*Server)(nil)
