package mail

import (
	"context"
	"fmt"
	"mime"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

func TestIncidentIsOneThread(t *testing.T) {
	p := openPostOffice(t, false)
	s := build(t, p.address, "send_resolved: true")
	var memo []byte
	for n, reason := range []receiver.Reason{receiver.ReasonFiring, receiver.ReasonRepeat, receiver.ReasonResolved} {
		m := message(fmt.Sprint(n), reason, "one")
		m.Memo = memo
		receipt, err := s.Send(t.Context(), m)
		if err != nil || receipt.Status != 250 || receipt.Endpoint != p.address || !strings.Contains(receipt.Payload, "Account one is behind") {
			t.Fatalf("got receipt %+v, error %v", receipt, err)
		}
		memo = receipt.Memo
	}
	if string(memo) != "null" {
		t.Errorf("got memo %s after the end, want it forgotten", memo)
	}
	var ids []string
	for n, l := range p.all() {
		h, bodies := parts(t, l.text)
		if l.from != "hedgewatch@example.org" || !slices.Equal(l.to, []string{"trader@example.org"}) {
			t.Errorf("got a mail from %s to %s", l.from, l.to)
		}
		if !strings.HasPrefix(h.Get("Subject"), "[FIRING:1] SyncLag") {
			t.Errorf("got subject %q, want Alertmanager's", h.Get("Subject"))
		}
		if !strings.Contains(bodies["text/plain"], "Account one is behind.") || !strings.Contains(bodies["text/html"], "Account one is behind.") {
			t.Errorf("got bodies %q", bodies)
		}
		if n > 0 && (h.Get("In-Reply-To") != ids[0] || h.Get("References") != ids[0]) {
			t.Errorf("mail %d answers %q, want %q", n, h.Get("In-Reply-To"), ids[0])
		}
		ids = append(ids, h.Get("Message-Id"))
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 3 {
		t.Errorf("got Message-IDs %q, want three", ids)
	}
}

func TestGoldenMail(t *testing.T) {
	for name, change := range map[string]func(*receiver.Message){
		"one": func(m *receiver.Message) { m.Alerts = m.Alerts[:1] },
		"two": func(m *receiver.Message) { m.Alerts[1].EndsAt = time.Now(); m.Superseded = 2 },
		"storm": func(m *receiver.Message) {
			m.Alerts, m.Storm = nil, &receiver.Storm{Since: time.Now(), Groups: 30, Firing: 90, ByName: map[string]int{"SyncLag": 80, "TargetDown": 10}}
		},
		"test": func(m *receiver.Message) { m.Reason = receiver.ReasonTest },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(t, "127.0.0.1:25", "")
				o.Graph = func(context.Context, receiver.GraphRequest) ([]byte, error) { return []byte("\x89PNG"), nil }
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				m := message("1", receiver.ReasonFiring, "one", "<b>two</b>")
				change(&m)
				l, err := s.compose(t.Context(), m, envelope{from: "hedgewatch@example.org"}, "")
				if err != nil {
					t.Fatal(err)
				}
				head, _, _ := strings.Cut(string(l.text), "Content-Type")
				_, bodies := parts(t, string(l.text))
				picture := bodies["image/png"]
				got := strings.ReplaceAll(head, "\r\n", "\n") + "\n" + bodies["text/plain"] + "\n" + bodies["text/html"] + "\n" + picture
				path := filepath.Join("testdata", name+".golden")
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s differs; -update rewrites it (-want +got):\n%s", path, diff)
				}
			})
		})
	}
}

func TestSettingsOfAlertmanager(t *testing.T) {
	p := openPostOffice(t, false)
	s := build(t, p.address, `
headers: {subject: 'Grüße aus {{ .GroupLabels.alertname }}', X-Team: sync, cc: 'Jürgen <j@example.org>', Message-Id: '<own@example.org>'},
html: '<p>{{ .Status }} & {{ (index .Alerts 0).Labels.account }}</p>', text: 'plain {{ .Status }}',
threading: {enabled: true, thread_by_date: none}`)
	m := message("1", receiver.ReasonFiring, "<i>")
	if _, err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	h, bodies := parts(t, p.all()[0].text)
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	cc, ccErr := h.AddressList("Cc")
	if err != nil || ccErr != nil || subject != "Grüße aus SyncLag" || cc[0].Name != "Jürgen" {
		t.Errorf("got subject %q (%v), cc %v (%v)", subject, err, cc, ccErr)
	}
	want := map[string]string{"text/plain": "plain firing", "text/html": "<p>firing & &lt;i&gt;</p>"}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	if h.Get("X-Team") != "sync" || h.Get("Message-Id") != "<own@example.org>" || !strings.HasSuffix(h.Get("References"), "-@alertmanager>") {
		t.Errorf("got headers %v", h)
	}
}

func TestLogin(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		t.Run(mechanism, func(t *testing.T) {
			p := openPostOffice(t, false)
			q := openPostOffice(t, false, p.withLogin(mechanism))
			file := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			good := build(t, q.address, "auth_username: ada, auth_password_file: '"+file+"'")
			if _, err := good.Send(t.Context(), message("1", receiver.ReasonFiring, "one")); err != nil {
				t.Fatal(err)
			}
			if len(p.all()) != 1 || !slices.Equal(p.logins, []string{mechanism}) {
				t.Errorf("got %d mails after logins %q", len(p.all()), p.logins)
			}
			bad := build(t, q.address, "auth_username: bob, auth_password_file: '"+file+"'")
			receipt, err := bad.Send(t.Context(), message("1", receiver.ReasonFiring, "one"))
			if receiver.KindOf(err) != receiver.Dead || err == nil {
				t.Errorf("got error %v, want that somebody must mend it", err)
			}
			if text := fmt.Sprintf("%+v %v", receipt, err); strings.Contains(text, password) {
				t.Errorf("the password is shown: %s", text)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	for _, test := range []struct {
		name           string
		server, config string
		want           string
	}{
		{"STARTTLS", "explicit", "require_tls: true, tls_config: {insecure_skip_verify: true}", ""},
		{"implicit", "implicit", "force_implicit_tls: true, tls_config: {insecure_skip_verify: true}", ""},
		{"unknown certificate", "explicit", "require_tls: true", "certificate"},
		{"not offered", "none", "require_tls: true", "offers no STARTTLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var opts []serverOption
			if test.server != "none" {
				opts = append(opts, withTLS(t))
			}
			p := openPostOffice(t, test.server == "implicit", opts...)
			_, err := build(t, p.address, test.config).Send(t.Context(), message("1", receiver.ReasonFiring, "one"))
			if test.want == "" && (err != nil || len(p.all()) != 1) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	permanent, temporary := &smtp.SMTPError{Code: 550, Message: "no such user"}, &smtp.SMTPError{Code: 451, Message: "later"}
	for _, test := range []struct {
		name   string
		refuse map[string]error
		kind   receiver.Kind
		mails  int
	}{
		{"all recipients", map[string]error{"trader@example.org": permanent, "b@example.org": permanent}, receiver.Dead, 0},
		{"all for now", map[string]error{"trader@example.org": temporary, "b@example.org": permanent}, receiver.Retry, 0},
		{"one recipient", map[string]error{"b@example.org": permanent}, receiver.Rejected, 1},
		{"one for now", map[string]error{"b@example.org": temporary}, receiver.Retry, 1},
		{"the sender", map[string]error{"hedgewatch@example.org": permanent}, receiver.Dead, 0},
		{"the mail", map[string]error{"DATA": permanent}, receiver.Rejected, 0},
		{"the mail for now", map[string]error{"DATA": temporary}, receiver.Retry, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := openPostOffice(t, false)
			p.refuse = test.refuse
			s := build(t, p.address, "")
			s.config.To = "trader@example.org, B <b@example.org>"
			m := message("1", receiver.ReasonFiring, "one")
			receipt, err := s.Send(t.Context(), m)
			if err == nil || receiver.KindOf(err) != test.kind || len(p.all()) != test.mails || receipt.Status/100 == 2 {
				t.Fatalf("got error %v of kind %v, %d mails, status %d; want kind %v, %d mails", err, receiver.KindOf(err), len(p.all()), receipt.Status, test.kind, test.mails)
			}
			if test.kind != receiver.Retry {
				return
			}
			// Another attempt reaches those who have not got it, and them only.
			p.mu.Lock()
			p.refuse = nil
			p.mu.Unlock()
			m.Memo = receipt.Memo
			if _, err := s.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range p.all() {
				got = append(got, l.to...)
			}
			if want := []string{"trader@example.org", "b@example.org"}; !slices.Equal(got, want) {
				t.Errorf("mails went to %q, want %q", got, want)
			}
		})
	}
}

// TestServerThatSaysNothing is where Alertmanager's sender stays for ever.
func TestServerThatSaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, more := range []string{"", "force_implicit_tls: true"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begun := time.Now()
		_, err := build(t, l.Addr().String(), more).Send(ctx, message("1", receiver.ReasonFiring, "one"))
		cancel()
		if err == nil || receiver.KindOf(err) != receiver.Retry || !strings.Contains(err.Error(), "deadline exceeded") {
			t.Errorf("got error %v, want one about the deadline", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the deadline of 50 ms ended it after %s", took)
		}
	}
}

func TestServerThatTalksForEver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		for err == nil {
			_, err = conn.Write([]byte("220-" + strings.Repeat("x", 1000) + "\r\n"))
		}
	}()
	defer func() {
		l.Close()
		<-done
	}()
	_, err = build(t, l.Addr().String(), "").Send(t.Context(), message("1", receiver.ReasonFiring, "one"))
	if err == nil || !strings.Contains(err.Error(), "says too much") {
		t.Errorf("got error %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"bad html", "html: '{{ .Alerts'", "unclosed action"},
		{"bad text", "text: '{{ nope }}'", "not defined"},
		{"bad subject", "headers: {Subject: '{{'}", "unclosed action"},
		{"bad header", "headers: {'Bad: X': a}", "is no name"},
		{"bad tls", "tls_config: {ca_file: /does/not/exist}", "tls_config"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := New(options(t, "127.0.0.1:25", test.config)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("Subject", "plain")
	f.Add("Subject", "two\r\nBcc: evil@example.org\r\n\r\nbody")
	f.Add("To", "Jürgen <a@example.org>,\r\n <b@example.org>")
	f.Add("X", strings.Repeat("x", 3000))
	f.Add("X", " \u2028ü\x00"+strings.Repeat("ü ", 2000))
	f.Fuzz(func(t *testing.T, name, value string) {
		if !headerName.MatchString(name) {
			return
		}
		text := header(name, value)
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
			if len(line) > 998 && len(name) < 90 || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("got line %q of %d bytes", line, len(line))
			}
		}
		m, err := netmail.ReadMessage(strings.NewReader(text + "End: here\r\n\r\n"))
		if err != nil || len(m.Header) > 2 || m.Header.Get("End") != "here" && name != "End" {
			t.Fatalf("%q, %q became %q: %v %v", name, value, text, m, err)
		}
	})
}
