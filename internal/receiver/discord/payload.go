package discord

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
)

// message is what Discord takes, as far as it is used here.
// https://docs.discord.com/developers/resources/webhook#execute-webhook
type message struct {
	Content         string          `json:"content"`
	Username        string          `json:"username,omitempty"`
	AvatarURL       string          `json:"avatar_url,omitempty"`
	Embeds          []embed         `json:"embeds"`
	AllowedMentions allowedMentions `json:"allowed_mentions"`
	// Attachments are those that the message has afterwards. An edit that leaves
	// the key out would add to what is there.
	Attachments []attachment `json:"attachments"`
	ThreadName  string       `json:"thread_name,omitempty"`
	Flags       int          `json:"flags,omitempty"`

	files []file
}

// suppressEmbeds keeps Discord from previewing links.
const suppressEmbeds = 1 << 2

type embed struct {
	Title       string  `json:"title,omitempty"`
	Description string  `json:"description,omitempty"`
	URL         string  `json:"url,omitempty"`
	Color       int     `json:"color"`
	Fields      []field `json:"fields,omitempty"`
	Image       *image  `json:"image,omitempty"`
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline,omitempty"`
}

type image struct {
	URL string `json:"url"`
}

// allowedMentions is the only way by which a message calls anybody. The empty
// value calls nobody, whatever the text says.
type allowedMentions struct {
	Parse []string `json:"parse"`
	Roles []string `json:"roles,omitempty"`
	Users []string `json:"users,omitempty"`
}

type attachment struct {
	ID       int    `json:"id"`
	Filename string `json:"filename"`
}

type file struct {
	name, contentType string
	data              []byte
}

func (m *message) attach(f file) {
	m.Attachments = append(m.Attachments, attachment{len(m.files), f.name})
	m.files = append(m.files, f)
}

// encode returns the body of a request, its type, and the JSON in it.
func (m message) encode() (body []byte, contentType, text string, err error) {
	if m.AllowedMentions.Parse == nil {
		m.AllowedMentions.Parse = []string{} // null would mean the default, which calls everybody.
	}
	if m.Embeds == nil {
		m.Embeds = []embed{}
	}
	if m.Attachments == nil {
		m.Attachments = []attachment{}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, "", "", fmt.Errorf("encode Discord message: %w", err)
	}
	payload := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(m.files) == 0 {
		return payload, "application/json", string(payload), nil
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	// Writing to a buffer cannot fail.
	part, _ := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="payload_json"`},
		"Content-Type":        {"application/json"},
	})
	_, _ = part.Write(payload)
	for i, f := range m.files {
		part, _ := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="files[%d]"; filename=%q`, i, f.name)},
			"Content-Type":        {f.contentType},
		})
		_, _ = part.Write(f.data)
	}
	_ = w.Close()
	return form.Bytes(), w.FormDataContentType(), string(payload), nil
}
