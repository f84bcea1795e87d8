package alerting

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord"
)

const twoReceivers = `
route: {receiver: a}
receivers:
  - {name: a, discord_configs: [{webhook_url: 'http://unused.example/'}], webhook_configs: [{url: 'http://unused.example/'}]}
  - {name: b, email_configs: [{to: x@example.org, from: y@example.org, smarthost: 'localhost:25'}]}
`

func TestSettingsOfReceivers(t *testing.T) {
	am := loadConfig(t, "%s", twoReceivers).Alertmanager
	for _, test := range []struct{ name, section, want string }{
		{"good", "receivers: [{name: a, discord: {resolved: edit}, webhook: {body: '{{ .Status }}'}}, {name: b, email: {graph: false}}]", ""},
		{"unknown receiver", "receivers: [{name: c}]", `delivery.receivers[0].name: no receiver of the alertmanager section is called "c"`},
		{"twice", "receivers: [{name: a}, {name: a}]", `delivery.receivers[1].name: "a" has settings already`},
		{"nothing to set", "receivers: [{name: b, discord: {}}]", `delivery.receivers[0].discord: receiver "b" has no discord_configs`},
		{"bad value", "receivers: [{name: a, discord: {resolved: x, thread_id: y}}]", "delivery.receivers[0].discord.thread_id:"},
		{"bad default", "defaults: {discord: {resolved: x}}", "delivery.defaults.discord.resolved:"},
		{"bad template", "receivers: [{name: a, webhook: {body: '{{'}}]", "delivery.receivers[0]: webhook[0]: template"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := DefaultDelivery()
			if err := yaml.Unmarshal([]byte(test.section), &c); err != nil {
				t.Fatal(err)
			}
			err := c.ValidateFor(am)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

func TestOwnSettingsComeBeforeDefaults(t *testing.T) {
	c := DefaultDelivery()
	text := "{defaults: {discord: {resolved: edit, graph: false}}, receivers: [{name: a, discord: {thread_id: '1'}}]}"
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]discord.Settings{
		"a": {Resolved: discord.ResolvedBoth, ThreadID: "1", Graph: true},
		"b": {Resolved: discord.ResolvedEdit},
	} {
		got, _, _ := c.of(name)
		if got.Resolved != want.Resolved || got.ThreadID != want.ThreadID || got.Graph != want.Graph {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
