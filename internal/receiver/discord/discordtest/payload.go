package discordtest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// payload is a request's body; pointers tell what it does not mention.
type payload struct {
	Content         *string          `json:"content"`
	Username        string           `json:"username"`
	AvatarURL       string           `json:"avatar_url"`
	TTS             bool             `json:"tts"`
	Embeds          *[]Embed         `json:"embeds"`
	AllowedMentions *allowedMentions `json:"allowed_mentions"`
	Attachments     *[]attachmentRef `json:"attachments"`
	ThreadName      string           `json:"thread_name"`
	Flags           int              `json:"flags"`
}

type allowedMentions struct {
	Parse []string `json:"parse"`
	Roles []string `json:"roles"`
	Users []string `json:"users"`
}

type attachmentRef struct {
	ID       attachmentID `json:"id"`
	Filename string       `json:"filename"`
}

const (
	maxFileBytes = 10 << 20 // https://docs.discord.com/developers/reference#uploading-files, 2026-06.
	maxBodyBytes = 25 << 20
	maxFiles     = 10
)

// read takes in a request's body, JSON or form.
func read(w *recorder, r *http.Request) (p payload, files map[int]File, ok bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	if err != nil {
		w.abort = true // The client has gone.
		return p, nil, false
	}
	if len(body) > maxBodyBytes {
		w.fail(http.StatusRequestEntityTooLarge, codeTooLarge, "Request entity too large")
		return p, nil, false
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
	case err == nil && kind == "multipart/form-data":
		if body, files, err = form(string(body), params["boundary"]); err != nil {
			w.fail(http.StatusBadRequest, codeInvalidForm, "Invalid Form Body")
			return p, nil, false
		}
		for _, f := range files {
			if len(f.Data) > maxFileBytes {
				w.fail(http.StatusRequestEntityTooLarge, codeTooLarge, "Request entity too large")
				return p, nil, false
			}
		}
	default:
		w.fail(http.StatusBadRequest, codeInvalidForm, `Expected "Content-Type" header to be one of {'application/json', 'multipart/form-data'}.`)
		return p, nil, false
	}
	if err := json.Unmarshal(body, &p); err != nil || !utf8.Valid(body) {
		w.fail(http.StatusBadRequest, codeInvalidJSON, "The request body contains invalid JSON.")
		return p, nil, false
	}
	return p, files, true
}

var fileKey = regexp.MustCompile(`^files\[(\d{1,2})\]$`)

func form(body, boundary string) (payload []byte, files map[int]File, err error) {
	files = make(map[int]File)
	parts := multipart.NewReader(strings.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return payload, files, nil
		}
		if err != nil {
			return nil, nil, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		if m := fileKey.FindStringSubmatch(part.FormName()); m != nil {
			n, _ := strconv.Atoi(m[1]) // The pattern matched digits.
			files[n] = File{part.FileName(), data}
		} else if part.FormName() == "payload_json" {
			payload = data
		}
	}
}

// faults collects what is wrong in Discord's form: a tree of objects and indices
// with _errors at its leaves.
type faults map[string]any

func (f faults) add(path, code, message string) {
	at := f
	for key := range strings.SplitSeq(path, ".") {
		next, ok := at[key].(faults)
		if !ok {
			next = faults{}
			at[key] = next
		}
		at = next
	}
	list, _ := at["_errors"].([]any)
	at["_errors"] = append(list, map[string]string{"code": code, "message": message})
}

func (f faults) text(path, value string, limit int) {
	if n := utf8.RuneCountInString(strings.TrimSpace(value)); n > limit {
		f.add(path, "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", limit))
	}
}

func (f faults) required(path, value string, limit int) {
	if strings.TrimSpace(value) == "" {
		f.add(path, "BASE_TYPE_REQUIRED", "This field is required")
	}
	f.text(path, value, limit)
}

func (f faults) url(path, value string, schemes ...string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		f.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")
		return
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			f.text(path, value, 2048)
			return
		}
	}
	f.add(path, "URL_TYPE_INVALID_SCHEME", fmt.Sprintf("Scheme %q is not supported. Scheme must be one of (%s).", u.Scheme, strings.Join(schemes, ", ")))
}

// valid answers with all that is wrong, as Discord does. Lengths are counted in
// code points, after trimming.
// https://docs.discord.com/developers/resources/message#embed-object-embed-limits, 2026-06.
func (p payload) valid(w *recorder, files map[int]File, edit bool) bool {
	f := faults{}
	if p.Content != nil {
		f.text("content", *p.Content, 2000)
	}
	f.text("username", p.Username, 80)
	for _, word := range []string{"clyde", "discord"} {
		if strings.Contains(strings.ToLower(p.Username), word) {
			f.add("username", "USERNAME_INVALID_CONTAINS", fmt.Sprintf("Username cannot contain %q", word))
		}
	}
	f.url("avatar_url", p.AvatarURL, "http", "https")
	f.text("thread_name", p.ThreadName, 100)
	if p.Embeds != nil {
		f.embeds(*p.Embeds)
	}
	f.mentions(p.AllowedMentions)
	if len(files) > maxFiles {
		f.add("files", "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", maxFiles))
	}
	if p.Attachments != nil && !edit {
		for i, a := range *p.Attachments {
			n, err := strconv.Atoi(string(a.ID))
			if _, ok := files[n]; err != nil || !ok {
				f.add(fmt.Sprintf("attachments.%d", i), "CANNOT_REFERENCE_ATTACHMENTS", "No file with this index.")
			}
		}
	}
	if len(f) > 0 {
		w.json(http.StatusBadRequest, map[string]any{"code": codeInvalidForm, "message": "Invalid Form Body", "errors": f})
		return false
	}
	empty := (p.Content == nil || strings.TrimSpace(*p.Content) == "") && (p.Embeds == nil || len(*p.Embeds) == 0) && len(files) == 0
	if empty && !edit {
		w.fail(http.StatusBadRequest, codeEmptyMessage, "Cannot send an empty message")
		return false
	}
	return true
}

func (f faults) embeds(embeds []Embed) {
	if len(embeds) > 10 {
		f.add("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
	}
	total := 0
	count := func(text string) { total += utf8.RuneCountInString(strings.TrimSpace(text)) }
	for i, e := range embeds {
		at := fmt.Sprintf("embeds.%d.", i)
		f.text(at+"title", e.Title, 256)
		f.text(at+"description", e.Description, 4096)
		f.url(at+"url", e.URL, "http", "https")
		count(e.Title)
		count(e.Description)
		if e.Color < 0 || e.Color > 0xFFFFFF {
			f.add(at+"color", "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215.")
		}
		if _, err := time.Parse(time.RFC3339, e.Timestamp); e.Timestamp != "" && err != nil {
			f.add(at+"timestamp", "DATE_TIME_TYPE_PARSE", fmt.Sprintf("Could not parse %s. Should be ISO8601.", e.Timestamp))
		}
		if len(e.Fields) > 25 {
			f.add(at+"fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
		}
		for j, field := range e.Fields {
			in := fmt.Sprintf("%sfields.%d.", at, j)
			f.required(in+"name", field.Name, 256)
			f.required(in+"value", field.Value, 1024)
			count(field.Name)
			count(field.Value)
		}
		if e.Author != nil {
			f.required(at+"author.name", e.Author.Name, 256)
			count(e.Author.Name)
		}
		if e.Footer != nil {
			f.text(at+"footer.text", e.Footer.Text, 2048)
			count(e.Footer.Text)
		}
		for name, picture := range map[string]*Image{"image": e.Image, "thumbnail": e.Thumbnail} {
			if picture != nil {
				f.url(at+name+".url", picture.URL, "http", "https", "attachment")
			}
		}
		if strings.TrimSpace(e.Title+e.Description) == "" && len(e.Fields) == 0 && e.Image == nil && e.Author == nil && e.Footer == nil {
			f.add(strings.TrimSuffix(at, "."), "BASE_TYPE_REQUIRED", "This field is required")
		}
	}
	if total > 6000 {
		f.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
	}
}

// mentions refuses what is both parsed for and listed.
// https://docs.discord.com/developers/resources/message#allowed-mentions-object
func (f faults) mentions(a *allowedMentions) {
	if a == nil {
		return
	}
	for i, kind := range a.Parse {
		if kind != "users" && kind != "roles" && kind != "everyone" {
			f.add(fmt.Sprintf("allowed_mentions.parse.%d", i), "BASE_TYPE_CHOICES", "Value must be one of ('users', 'everyone', 'roles').")
		}
		if kind == "users" && len(a.Users) > 0 || kind == "roles" && len(a.Roles) > 0 {
			f.add("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", fmt.Sprintf("parse:[%q] and %s: [ids...] are mutually exclusive.", kind, kind))
		}
	}
	for name, ids := range map[string][]string{"users": a.Users, "roles": a.Roles} {
		if len(ids) > 100 {
			f.add("allowed_mentions."+name, "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
		}
		for i, id := range ids {
			if _, err := strconv.ParseUint(id, 10, 64); err != nil {
				f.add(fmt.Sprintf("allowed_mentions.%s.%d", name, i), "NUMBER_TYPE_COERCE", fmt.Sprintf("Value %q is not snowflake.", id))
			}
		}
	}
}
