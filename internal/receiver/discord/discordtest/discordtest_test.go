package discordtest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o Options) (s *Server, webhook string) {
	t.Helper()
	s = New(o)
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	w := Webhook{ID: "1", Token: "x"}
	s.Add(w)
	return s, URL(server.URL, w)
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func ask(t *testing.T, method, url, contentType, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if err := json.NewDecoder(resp.Body).Decode(&a.body); err != nil && err != io.EOF && resp.StatusCode != 429 {
		t.Fatal(err)
	}
	return a
}

const jsonType = "application/json"

func TestRefusals(t *testing.T) {
	_, hook := start(t, Options{Burst: 100, ChannelBurst: 100})
	long := func(n int) string { return strings.Repeat("ü", n) }
	card := func(fields string) string { return `{"embeds": [` + fields + `]}` }
	for _, test := range []struct {
		name, body string
		path       string // To the first error; "" if it is fine.
	}{
		{"content", `{"content": "` + long(2000) + `"}`, ""},
		{"content too long", `{"content": "` + long(2001) + `"}`, "content"},
		{"whitespace does not count", `{"content": " ` + long(2000) + ` "}`, ""},
		{"title too long", card(`{"title": "` + long(257) + `"}`), "embeds.0.title"},
		{"description too long", card(`{"description": "` + long(4097) + `"}`), "embeds.0.description"},
		{"too long together", card(`{"description": "` + long(4000) + `"}, {"description": "` + long(2001) + `"}`), "embeds"},
		{"empty field", card(`{"fields": [{"name": " ", "value": "x"}]}`), "embeds.0.fields.0.name"},
		{"field too long", card(`{"fields": [{"name": "x", "value": "` + long(1025) + `"}]}`), "embeds.0.fields.0.value"},
		{"too many fields", card(`{"fields": [` + strings.TrimSuffix(strings.Repeat(`{"name": "x", "value": "x"},`, 26), ",") + `]}`), "embeds.0.fields"},
		{"too many embeds", card(strings.TrimSuffix(strings.Repeat(`{"title": "x"},`, 11), ",")), "embeds"},
		{"link without a scheme", card(`{"title": "x", "url": "example.org"}`), "embeds.0.url"},
		{"link to a script", card(`{"title": "x", "url": "javascript://a/b"}`), "embeds.0.url"},
		{"name of Discord", `{"content": "x", "username": "disCORD bot"}`, "username"},
		{"mentions both ways", `{"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}`, "allowed_mentions"},
		{"file that is missing", `{"content": "x", "attachments": [{"id": 0}]}`, "attachments.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := ask(t, "POST", hook+"?wait=true", jsonType, test.body)
			if test.path == "" {
				if a.status != 200 || a.body["id"] == "" {
					t.Errorf("got %+v, want a message", a)
				}
				return
			}
			at, _ := a.body["errors"].(map[string]any)
			for key := range strings.SplitSeq(test.path, ".") {
				at, _ = at[key].(map[string]any)
			}
			if a.status != 400 || a.body["code"] != 50035.0 || at["_errors"] == nil {
				t.Errorf("got %+v, want an error at %s", a, test.path)
			}
		})
	}
	if a := ask(t, "POST", hook, jsonType, `{}`); a.body["code"] != 50006.0 {
		t.Errorf("got %+v for an empty message", a)
	}
	if a := ask(t, "POST", hook, jsonType, `{`); a.body["code"] != 50109.0 {
		t.Errorf("got %+v for broken JSON", a)
	}
}

func TestMessageLivesAndDies(t *testing.T) {
	s, hook := start(t, Options{})
	changed := s.Changed()
	if a := ask(t, "POST", hook, jsonType, `{"content": "quiet"}`); a.status != 204 || len(a.body) != 0 {
		t.Errorf("got %+v without wait, want nothing", a)
	}
	<-changed

	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("payload_json", `{"content": "<@1> <@&2> @here", "attachments": [{"id": 0}]}`); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("files[0]", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	id, _ := ask(t, "POST", hook+"?wait=1", w.FormDataContentType(), form.String()).body["id"].(string)
	m := s.Messages()[1]
	if !slices.Equal(m.Called, []string{"1", "2", "here"}) || len(m.Attachments) != 1 || string(m.Attachments[0].Data) != "text" {
		t.Errorf("got %+v; without allowed_mentions everybody is called", m)
	}

	ask(t, "PATCH", hook+"/messages/"+id, jsonType, `{"embeds": [{"title": "new"}]}`)
	m = s.Messages()[1]
	if m.Content == "" || len(m.Embeds) != 1 || len(m.Attachments) != 1 || len(m.Edits) != 1 {
		t.Errorf("got %+v; an edit changes what it mentions", m)
	}
	ask(t, "PATCH", hook+"/messages/"+id, jsonType, `{"attachments": []}`)
	if m = s.Messages()[1]; len(m.Attachments) != 0 {
		t.Errorf("got attachments %+v, want none", m.Attachments)
	}
	if a := ask(t, "GET", hook+"/messages/"+id, "", ""); a.body["content"] != m.Content {
		t.Errorf("got %+v", a)
	}
	if a := ask(t, "DELETE", hook+"/messages/"+id, "", ""); a.status != 204 || len(s.Messages()) != 1 {
		t.Errorf("got %+v and %d messages", a, len(s.Messages()))
	}
	if a := ask(t, "GET", hook+"/messages/"+id, "", ""); a.status != 404 || a.body["code"] != 10008.0 {
		t.Errorf("got %+v for a deleted message", a)
	}
	ask(t, "DELETE", hook, "", "")
	if a := ask(t, "POST", hook, jsonType, `{"content": "x"}`); a.status != 404 || a.body["code"] != 10015.0 {
		t.Errorf("got %+v from a deleted webhook", a)
	}
}

func TestLimits(t *testing.T) {
	post := func(hook string) answer { return ask(t, "POST", hook, jsonType, `{"content": "x"}`) }
	_, hook := start(t, Options{Burst: 1, Window: 90500 * time.Millisecond, MaxInvalid: 2})
	if a := post(hook); a.header.Get("X-RateLimit-Remaining") != "0" || a.header.Get("X-RateLimit-Limit") != "1" {
		t.Errorf("got headers %v", a.header)
	}
	for range 2 {
		a := post(hook)
		wait, _ := a.body["retry_after"].(float64)
		if a.status != 429 || a.body["global"] != false || wait < 80 || wait == float64(int(wait)) {
			t.Errorf("got %+v, want 90.4 s or so", a)
		}
	}
	if a := post(hook); a.status != 429 || a.body != nil || a.header.Get("X-RateLimit-Bucket") != "" {
		t.Errorf("got %+v, want the ban that follows two refusals", a)
	}

	_, hook = start(t, Options{Global: 1})
	post(hook)
	if a := post(hook); a.body["global"] != true || a.header.Get("X-RateLimit-Scope") != "global" {
		t.Errorf("got %+v, want the global limit", a)
	}
	_, hook = start(t, Options{ChannelBurst: 1})
	post(hook)
	if a := post(hook); a.header.Get("X-RateLimit-Scope") != "shared" {
		t.Errorf("got %+v, want the channel's limit", a)
	}
}

func TestFaultsEnd(t *testing.T) {
	s, hook := start(t, Options{})
	s.Inject(Fault{Times: 1, Status: 500})
	s.Inject(Fault{Until: time.Now().Add(-time.Second), Status: 502})
	s.Inject(Fault{Times: 1, Method: "PATCH", Status: 503})
	var got []int
	for range 3 {
		req, err := http.NewRequestWithContext(t.Context(), "GET", hook, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got = append(got, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{500, 200, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}
