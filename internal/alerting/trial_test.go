package alerting

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// TestTryGoesBesideTheQueue is for the race detector: senders are shared.
func TestTryGoesBesideTheQueue(t *testing.T) {
	w := newWebhook(t)
	channel := discordtest.New(discordtest.Options{})
	discord := httptest.NewServer(channel)
	t.Cleanup(discord.Close)
	i := startAlerting(t, loadConfig(t, `
route: {receiver: r, group_by: ['...'], group_wait: 0s}
receivers: [{name: r, webhook_configs: [{url: %q}], discord_configs: [{webhook_url: %q}]}]
`, w.URL, discord.URL+channel.Add(discordtest.Webhook{ID: "1", Token: "t"})), testDeps(t, t.TempDir()))
	const each = 5
	var running sync.WaitGroup
	for n := range each {
		i.put(t, firing("alertname", "A", "n", strconv.Itoa(n)))
		running.Go(func() {
			about := firing("alertname", "Test")
			about.EndsAt = time.Time{}
			if trials, err := i.Try(t.Context(), "r", receiver.ReasonTest, about); err != nil || len(trials) != 2 {
				t.Errorf("got %v, error %v, want two trials", trials, err)
			}
		})
	}
	running.Wait()
	for range 2 * each {
		w.next(t)
	}
}

func TestTryTellsWhatBecameOfAMessage(t *testing.T) {
	w := newWebhook(t)
	refusing := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		http.Error(rw, "no hook any more", http.StatusGone)
	}))
	t.Cleanup(refusing.Close)
	i := startAlerting(t, loadConfig(t, `
route: {receiver: used}
receivers:
  - {name: used, webhook_configs: [{url: %[1]q}, {url: %[2]q}]}
  - {name: unused, webhook_configs: [{url: %[1]q}]}
  - {name: nobody}
`, w.URL, refusing.URL), testDeps(t, t.TempDir()))

	tests := []struct {
		receiver string
		want     []string
	}{
		{"used", []string{"webhook[0] delivered", "webhook[1] 410 dead"}},
		{"unused", []string{"webhook[0] delivered"}},
		{"nobody", nil},
	}
	for _, tt := range tests {
		t.Run(tt.receiver, func(t *testing.T) {
			about := firing("alertname", "Test")
			about.EndsAt = time.Time{}
			trials, err := i.Try(t.Context(), tt.receiver, receiver.ReasonTest, about)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, tr := range trials {
				outcome := "delivered"
				if tr.Err != nil {
					outcome = fmt.Sprintf("%d %v", tr.Receipt.Status, receiver.KindOf(tr.Err))
				}
				got = append(got, tr.Integration+" "+outcome)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(tt.want) > 0 {
				w.want(t, "firing Test=firing")
			}
			if ds, err := i.Deliveries(t.Context(), DeliveryQuery{Receiver: tt.receiver}); err != nil || len(ds) != len(tt.want) {
				t.Errorf("the ledger has %v, %v; want %d entries", ds, err, len(tt.want))
			}
		})
	}
	if _, err := i.Try(t.Context(), "none", receiver.ReasonTest, firing("alertname", "Test")); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("got error %v, want one that names the receiver", err)
	}
	i.stop()
	if _, err := i.Try(t.Context(), "used", receiver.ReasonTest, firing("alertname", "Test")); err == nil {
		t.Error("got no error after the stop")
	}
	w.quiet(t, 50*time.Millisecond)
}

func TestHealthyKnowsADiskThatRefuses(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "journal.tmp") // where the first write goes
	if err := os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	i := startAlerting(t, DefaultConfig(), testDeps(t, dir))
	eventually(t, "sick", func() bool {
		err := i.Healthy()
		return err != nil && strings.Contains(err.Error(), "in memory only")
	})
	if err := os.RemoveAll(inTheWay); err != nil {
		t.Fatal(err)
	}
	eventually(t, "healthy", func() bool { return i.Healthy() == nil })
	i.stop()
	if i.Healthy() == nil {
		t.Error("healthy after the stop")
	}
}
