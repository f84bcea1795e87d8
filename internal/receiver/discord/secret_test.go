package discord

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	amdiscord "github.com/prometheus/alertmanager/notify/discord"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

func noSecret(t *testing.T, things ...any) {
	t.Helper()
	for _, thing := range things {
		if text := fmt.Sprintf("%+v", thing); strings.Contains(text, token) || strings.Contains(text, token[:10]) {
			t.Errorf("the token is in %s", text)
		}
	}
}

func TestTokenIsInNoError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "webhook")
	for name, content := range map[string]string{
		"no server":    "http://127.0.0.1:1/api/webhooks/1/" + token + "\n",
		"no scheme":    "discord.com/api/webhooks/1/" + token,
		"other scheme": "ftp://discord.com/api/webhooks/1/" + token,
		"other path":   "http://127.0.0.1:1/hook/" + token + "?key=" + token,
		"bad escape":   "http://127.0.0.1:1/%zz/" + token,
		"bad port":     "http://127.0.0.1:port/" + token,
		"control":      "http://127.0.0.1:1/\x7f" + token,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := New(Options{
				Config:   &amdiscord.DiscordConfig{WebhookURLFile: file},
				Settings: DefaultSettings(), Template: newTemplate(t), Limits: NewLimits(),
			})
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := s.Send(t.Context(), receiver.Message{ID: "x", Reason: receiver.ReasonTest})
			if err == nil {
				t.Fatal("got no error")
			}
			noSecret(t, receipt, err)
		})
	}
	s := &Sender{config: &amdiscord.DiscordConfig{WebhookURLFile: file + "-missing"}}
	if _, err := s.Send(t.Context(), receiver.Message{}); receiver.KindOf(err) != receiver.Retry {
		t.Errorf("got %v for a missing file, want another try", err)
	}
}
