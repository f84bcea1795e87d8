package services_test

import (
	"strings"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

func TestSecretsAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"connect postgres://feed:hunter2@db:5432/md":                      "connect postgres://feed:<secret>@db:5432/md",
		`{"api_key":"abcdef","x":1}`:                                      `{"api_key":"<secret>","x":1}`,
		"DB_PASSWORD=hunter2 started":                                     "DB_PASSWORD=<secret> started",
		"Authorization: Bearer abcdefgh12345":                             "Authorization: Bearer <secret>",
		"key " + strings.Repeat("aB3", 22):                                "key <secret>",
		"dial tcp 10.0.0.3:5432: connect: connection refused":             "dial tcp 10.0.0.3:5432: connect: connection refused",
		"open /etc/feed/feed.yml: no such file or directory (token file)": "open /etc/feed/feed.yml: no such file or directory (token file)",
	} {
		if got := services.Mask(in); got != want {
			t.Errorf("Mask(%q): got %q, want %q", in, got, want)
		}
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add([]byte("panic: x\n\x1b[31mpassword=hunter2\n"), 1)
	f.Add([]byte(strings.Repeat("x", 1<<20)), 137)
	f.Fuzz(func(t *testing.T, log []byte, code int) {
		d := services.Diagnose(services.Observation{Exit: &services.Exit{Code: code}}, log)
		if d.Cause == "" || len(d.Evidence) > 5 {
			t.Errorf("got %+v", d)
		}
		for _, line := range d.Evidence {
			if len(line) > 500 || strings.ContainsAny(line, "\n\x00\x1b") {
				t.Errorf("got a line that cannot be shown: %q", line)
			}
		}
	})
}

// forms are the ways in which programs write secrets, with % for the secret.
var forms = []string{
	"password=%", `password="%"`, `password='%'`, "DB_PASSWORD=%", "spring.datasource.password: %", `"api_key": "%"`,
	`{\"client_secret\":\"%\"}`, `:secret => "%"`, "{User:feed Password:% Host:db}", "--password %", `--api-key="%"`,
	"postgres://feed:%@orders-db:5432/md", "redis://:%@cache:6379/0", "X-MBX-APIKEY: %", "Authorization: Bearer %",
	"curl -H 'Authorization: Basic %'", "Cookie: session=%; theme=dark", "https://discord.com/api/webhooks/120/%",
	"https://hooks.slack.com/services/T0/B0/%", "?token=%&symbol=BTCUSDT",
}

// A secret of any shape in any of the forms, between any words, is in no evidence.
func FuzzMask(f *testing.F) {
	for i := range forms {
		f.Add("could not connect:", []byte("hunter2-hunter2"), "(attempt 3)", uint8(i))
	}
	f.Add("", []byte("p@ss/w:rd@x"), "", uint8(11))
	f.Add(strings.Repeat("word ", 330), []byte("hunter2-hunter2"), "", uint8(11))
	f.Add(strings.Repeat("word ", 20000), []byte("hunter2-hunter2"), strings.Repeat(" word", 14000), uint8(0))
	f.Fuzz(func(t *testing.T, before string, raw []byte, after string, form uint8) {
		secret := spell(raw)
		// Quotes that are not closed move the ends of all that follow.
		quotes := strings.NewReplacer(`"`, "", "'", "", `\`, "")
		before, after = quotes.Replace(before), quotes.Replace(after)
		if len(secret) < 8 || strings.Contains(before+after+forms[int(form)%len(forms)], secret) {
			return
		}
		log := before + " " + strings.Replace(forms[int(form)%len(forms)], "%", secret, 1) + " " + after
		for _, line := range services.Diagnose(services.Observation{Exit: &services.Exit{Code: 1}}, []byte(log)).Evidence {
			if strings.Contains(line, secret) {
				t.Errorf("%q is in %q", secret, line)
			}
		}
	})
}

// spell makes a secret of what passwords and keys are made of.
func spell(raw []byte) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~!*"
	var b strings.Builder
	for _, c := range raw {
		b.WriteByte(letters[int(c)%len(letters)])
	}
	return b.String()
}
