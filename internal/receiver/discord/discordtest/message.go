package discordtest

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Message is a message as the readers of a channel see it.
type Message struct {
	ID         string    `json:"id"`
	Webhook    string    `json:"webhook_id"`
	ChannelID  string    `json:"channel_id"` // Of the thread, if it is in one.
	ThreadName string    `json:"thread_name,omitempty"`
	Posted     time.Time `json:"timestamp"`
	// Edits are the times of its changes, at most the last 1,000.
	Edits       []time.Time  `json:"edits,omitempty"`
	Username    string       `json:"username,omitempty"`
	AvatarURL   string       `json:"avatar_url,omitempty"`
	Content     string       `json:"content"`
	Embeds      []Embed      `json:"embeds"`
	Attachments []Attachment `json:"attachments"`
	// Called are those whom the message notified when it was posted: user and
	// role IDs, "everyone" and "here". An edit calls nobody.
	Called []string `json:"called,omitempty"`
	Flags  int      `json:"flags,omitempty"`
}

// Embed is a card in a message.
type Embed struct {
	Title       string  `json:"title,omitempty"`
	Description string  `json:"description,omitempty"`
	URL         string  `json:"url,omitempty"`
	Color       int     `json:"color,omitempty"`
	Timestamp   string  `json:"timestamp,omitempty"`
	Fields      []Field `json:"fields,omitempty"`
	Author      *Author `json:"author,omitempty"`
	Footer      *Footer `json:"footer,omitempty"`
	Image       *Image  `json:"image,omitempty"`
	Thumbnail   *Image  `json:"thumbnail,omitempty"`
}

// Field is a cell of an embed.
type Field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline,omitempty"`
}

// Author stands above an embed's title.
type Author struct {
	Name    string `json:"name"`
	URL     string `json:"url,omitempty"`
	IconURL string `json:"icon_url,omitempty"`
}

// Footer stands below an embed.
type Footer struct {
	Text    string `json:"text"`
	IconURL string `json:"icon_url,omitempty"`
}

// Image is a picture, by its address or as attachment://NAME.
type Image struct {
	URL string `json:"url"`
}

// Attachment is a file of a message.
type Attachment struct {
	ID       string `json:"id"`
	Filename string `json:"filename"`
	Size     int    `json:"size"`
	Data     []byte `json:"-"`
}

// File is an uploaded file.
type File struct {
	Name string
	Data []byte
}

const maxEdits = 1000

func (m *Message) clone() Message {
	c := *m
	c.Edits, c.Called = slices.Clone(m.Edits), slices.Clone(m.Called)
	c.Embeds, c.Attachments = slices.Clone(m.Embeds), slices.Clone(m.Attachments)
	for i := range c.Embeds {
		c.Embeds[i].Fields = slices.Clone(c.Embeds[i].Fields)
	}
	return c
}

// wire is the message as the API answers it; times of edits and who was called
// are not part of that.
func (m *Message) wire() any {
	return map[string]any{
		"id": m.ID, "type": 0, "channel_id": m.ChannelID, "webhook_id": m.Webhook, "timestamp": m.Posted.UTC().Format(time.RFC3339Nano),
		"content": m.Content, "embeds": m.Embeds, "attachments": m.Attachments, "flags": m.Flags,
	}
}

// apply makes the message what a payload says. An edit leaves alone what the
// payload does not mention.
func (m *Message) apply(p payload, files map[int]File, nextID func(time.Time) string, now time.Time) {
	if p.Content != nil {
		m.Content = *p.Content
	}
	if p.Embeds != nil {
		m.Embeds = *p.Embeds
	}
	if p.Attachments != nil { // What is not listed goes.
		m.Attachments = slices.DeleteFunc(m.Attachments, func(a Attachment) bool {
			return !slices.ContainsFunc(*p.Attachments, func(r attachmentRef) bool { return string(r.ID) == a.ID })
		})
	}
	for _, n := range slices.Sorted(maps.Keys(files)) {
		m.Attachments = append(m.Attachments, Attachment{ID: nextID(now), Filename: files[n].Name, Size: len(files[n].Data), Data: files[n].Data})
	}
	m.Flags = p.Flags
	if len(m.Edits) >= maxEdits {
		m.Edits = slices.Delete(m.Edits, 0, maxEdits/2)
	}
}

var mentions = regexp.MustCompile(`<@(&|!)?([0-9]+)>|@(everyone|here)`)

// called is whom a text notifies: by default everybody it names.
// https://docs.discord.com/developers/resources/message#allowed-mentions-object
func called(content string, allowed *allowedMentions) []string {
	var who []string
	add := func(name string, kind string, ids []string) {
		if allowed != nil && !slices.Contains(allowed.Parse, kind) && !slices.Contains(ids, name) {
			return
		}
		if !slices.Contains(who, name) {
			who = append(who, name)
		}
	}
	if allowed == nil {
		allowed = &allowedMentions{Parse: []string{"users", "roles", "everyone"}}
	}
	for _, m := range mentions.FindAllStringSubmatch(content, -1) {
		switch {
		case m[3] != "":
			add(m[3], "everyone", nil)
		case m[1] == "&":
			add(m[2], "roles", allowed.Roles)
		default:
			add(m[2], "users", allowed.Users)
		}
	}
	return who
}

// attachmentID is a number or a string: the index of a new file, or the ID of
// one that stays.
type attachmentID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *attachmentID) UnmarshalJSON(text []byte) error {
	if s, err := strconv.Unquote(string(text)); err == nil {
		*id = attachmentID(s)
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	*id = attachmentID(strconv.FormatUint(n, 10))
	return err
}
