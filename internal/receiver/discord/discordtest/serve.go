package discordtest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Codes in Discord's errors.
// https://docs.discord.com/developers/topics/opcodes-and-status-codes#json, 2026-06.
const (
	codeUnknownChannel   = 10003
	codeUnknownMessage   = 10008
	codeUnknownWebhook   = 10015
	codeTooLarge         = 40005
	codeEmptyMessage     = 50006
	codeInvalidToken     = 50027
	codeInvalidForm      = 50035
	codeInvalidJSON      = 50109
	codeForumNeedsThread = 220001
	codeNoForum          = 220003
)

// recorder holds an answer back until it is known whether it is to be given.
type recorder struct {
	header http.Header
	status int
	body   []byte
	abort  bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) answer(status int, contentType string, body []byte) {
	w.status, w.body = status, body
	w.header.Set("Content-Type", contentType)
}

func (w *recorder) json(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("discordtest: " + err.Error()) // Our own values always encode.
	}
	w.answer(status, "application/json", body)
}

func (w *recorder) fail(status, code int, message string) {
	w.json(status, map[string]any{"code": code, "message": message})
}

func (w *recorder) tooMany(wait time.Duration, global bool, message string) {
	wait = wait.Round(time.Millisecond) + time.Millisecond
	w.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	w.json(http.StatusTooManyRequests, map[string]any{"message": message, "retry_after": wait.Seconds(), "global": global})
}

// ServeHTTP implements http.Handler, for the paths under /api/webhooks/ with or
// without a version: /api/v10/webhooks/.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	now := time.Now()
	w := &recorder{header: rw.Header()}
	id, token, messageID, ok := split(r.URL.Path)
	fault := s.fault(r, id, now)
	if !fault.suffer(w, r) {
		switch {
		case !ok:
			w.fail(http.StatusNotFound, 0, "404: Not Found")
		case s.banned(w, now):
		default:
			s.serve(w, r, id, token, messageID, now)
		}
	}
	w.abort = w.abort || fault != nil && fault.CloseLate
	if w.abort {
		w.status = 0
	}
	s.note(Request{At: now, Method: r.Method, Webhook: id, Message: messageID, Status: w.status})
	if w.abort {
		panic(http.ErrAbortHandler)
	}
	rw.WriteHeader(w.status)
	_, _ = rw.Write(w.body) // The client may have gone.
}

// split takes a path apart: /api/webhooks/ID/TOKEN[/messages/ID].
func split(path string) (id, token, messageID string, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) > 1 && strings.HasPrefix(parts[1], "v") {
		parts = slices.Delete(parts, 1, 2)
	}
	switch {
	case len(parts) == 4 && parts[0] == "api" && parts[1] == "webhooks":
		return parts[2], parts[3], "", true
	case len(parts) == 6 && parts[0] == "api" && parts[1] == "webhooks" && parts[4] == "messages":
		return parts[2], parts[3], parts[5], true
	}
	return "", "", "", false
}

func (s *Server) serve(w *recorder, r *http.Request, id, token, messageID string, now time.Time) {
	s.mu.Lock()
	hook := s.webhooks[id]
	gone := hook == nil || hook.deleted
	s.mu.Unlock()
	switch {
	case gone:
		w.fail(http.StatusNotFound, codeUnknownWebhook, "Unknown Webhook")
		return
	case hook.Token != token:
		w.fail(http.StatusUnauthorized, codeInvalidToken, "Invalid Webhook Token")
		return
	case s.limited(w, r, hook, now):
		return
	}
	thread := r.URL.Query().Get("thread_id")
	if thread != "" && !s.hasThread(hook, thread) {
		w.fail(http.StatusBadRequest, codeUnknownChannel, "Unknown Channel")
		return
	}
	switch {
	case messageID == "" && r.Method == http.MethodPost:
		s.post(w, r, hook, thread, now)
	case messageID == "" && r.Method == http.MethodGet:
		w.json(http.StatusOK, map[string]any{"id": hook.ID, "type": 1, "channel_id": hook.ChannelID, "token": hook.Token})
	case messageID == "" && r.Method == http.MethodDelete:
		s.Delete(hook.ID)
		w.answer(http.StatusNoContent, "application/json", nil)
	case messageID != "" && (r.Method == http.MethodPatch || r.Method == http.MethodGet || r.Method == http.MethodDelete):
		s.message(w, r, hook, thread, messageID, now)
	default:
		w.fail(http.StatusMethodNotAllowed, 0, "405: Method Not Allowed")
	}
}

func (s *Server) hasThread(hook *webhook, thread string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(hook.Threads, thread)
}

func (s *Server) post(w *recorder, r *http.Request, hook *webhook, thread string, now time.Time) {
	p, files, ok := read(w, r)
	if !ok || !p.valid(w, files, false) {
		return
	}
	switch {
	case hook.Forum && thread == "" && p.ThreadName == "":
		w.fail(http.StatusBadRequest, codeForumNeedsThread, "Webhooks posted to forum channels must have a thread_name or thread_id")
		return
	case !hook.Forum && p.ThreadName != "":
		w.fail(http.StatusBadRequest, codeNoForum, "Webhooks can only create threads in forum channels")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &Message{ID: s.nextID(now), Webhook: hook.ID, ChannelID: hook.ChannelID, Posted: now}
	if thread != "" {
		m.ChannelID = thread
	} else if p.ThreadName != "" {
		m.ChannelID, m.ThreadName = m.ID, p.ThreadName
		hook.Threads = append(hook.Threads, m.ID)
	}
	m.Username, m.AvatarURL = p.Username, p.AvatarURL
	m.apply(p, files, s.nextID, now)
	m.Called = called(m.Content, p.AllowedMentions)
	if len(s.messages) >= s.opts.MaxMessages {
		s.messages = slices.Delete(s.messages, 0, 1)
	}
	s.messages = append(s.messages, m)
	s.announce()
	if wait, _ := strconv.ParseBool(r.URL.Query().Get("wait")); !wait {
		w.answer(http.StatusNoContent, "application/json", nil)
		return
	}
	w.json(http.StatusOK, m.wire())
}

func (s *Server) message(w *recorder, r *http.Request, hook *webhook, thread, id string, now time.Time) {
	var p payload
	var files map[int]File
	if r.Method == http.MethodPatch {
		var ok bool
		if p, files, ok = read(w, r); !ok || !p.valid(w, files, true) {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	channel := hook.ChannelID
	if thread != "" {
		channel = thread
	}
	i := slices.IndexFunc(s.messages, func(m *Message) bool {
		return m.ID == id && m.Webhook == hook.ID && m.ChannelID == channel
	})
	if i < 0 {
		w.fail(http.StatusNotFound, codeUnknownMessage, "Unknown Message")
		return
	}
	m := s.messages[i]
	switch r.Method {
	case http.MethodDelete:
		s.messages = slices.Delete(s.messages, i, i+1)
		s.announce()
		w.answer(http.StatusNoContent, "application/json", nil)
		return
	case http.MethodPatch:
		m.apply(p, files, s.nextID, now)
		m.Edits = append(m.Edits, now)
		s.announce()
	}
	w.json(http.StatusOK, m.wire())
}

// URL is the address of a webhook of a server at base, such as
// http://127.0.0.1:8080.
func URL(base string, w Webhook) string {
	return fmt.Sprintf("%s/api/webhooks/%s/%s", base, w.ID, w.Token)
}
