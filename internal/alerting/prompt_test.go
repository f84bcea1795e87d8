package alerting

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const prompted = `
route: {receiver: place, group_by: [job], group_wait: 10s, group_interval: 1m, repeat_interval: 100h}
receivers: [{name: place, webhook_configs: [{url: 'http://unused.example'}]}]
`

// told are the messages of a place with the second of each.
func (p *place) told(start time.Time) []string {
	var all []string
	for i, m := range p.messages() {
		all = append(all, p.takenAt[i].Sub(start).Round(100*time.Millisecond).String()+" "+briefOf(m))
	}
	return all
}

func TestPrompt(t *testing.T) {
	type step struct {
		at    time.Duration
		fires bool
		name  string
	}
	for _, test := range []struct {
		name   string
		prompt Prompt
		steps  []step
		want   []string
	}{
		{"an end is told at once", "", []step{{0, true, "A"}, {15 * time.Second, false, "A"}}, []string{
			"10s firing A=firing", "15s resolved A=resolved",
		}},
		{"Alertmanager's times", PromptNever, []step{{0, true, "A"}, {15 * time.Second, false, "A"}}, []string{
			"10s firing A=firing", "1m10s resolved A=resolved",
		}},
		{"what ends within group_wait is not told", "", []step{{0, true, "A"}, {5 * time.Second, false, "A"}}, nil},
		{"a part of a group waits", "", []step{{0, true, "A"}, {0, true, "B"}, {15 * time.Second, false, "A"}, {20 * time.Second, false, "B"}}, []string{
			"10s firing A=firing B=firing", "20s resolved A=resolved B=resolved",
		}},
		{"a part of a group, changes", PromptChanges, []step{{0, true, "A"}, {15 * time.Second, true, "B"}, {20 * time.Second, false, "A"}}, []string{
			"10s firing A=firing", "15s firing A=firing B=firing", "20s update A=resolved B=firing",
		}},
		{"a new group waits, changes", PromptChanges, []step{{0, true, "A"}, {5 * time.Second, true, "B"}}, []string{
			"10s firing A=firing B=firing",
		}},
		{"after an early end, a group is as a new one", "", []step{{0, true, "A"}, {15 * time.Second, false, "A"}, {20 * time.Second, true, "A"}}, []string{
			"10s firing A=firing", "15s resolved A=resolved", "30s firing A=firing",
		}},
		{"one early end in a group_interval", "", []step{
			{0, true, "A"},
			{15 * time.Second, false, "A"},
			{20 * time.Second, true, "A"},
			{35 * time.Second, false, "A"},
			{40 * time.Second, true, "A"},
			{80 * time.Second, false, "A"},
		}, []string{
			"10s firing A=firing", "15s resolved A=resolved", "30s firing A=firing", "1m20s resolved A=resolved",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &place{}
				cfg := loadConfig(t, "%s", prompted)
				cfg.Delivery.Defaults.Prompt = test.prompt
				d := testDeps(t, t.TempDir())
				d.Senders = sendTo(map[string]*place{"place": p})
				a := startAlerting(t, cfg, d)
				start := time.Now()
				for _, s := range test.steps {
					time.Sleep(time.Until(start.Add(s.at)))
					if s.fires {
						a.put(t, firing("alertname", s.name))
					} else {
						a.put(t, resolved("alertname", s.name))
					}
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if diff := cmp.Diff(test.want, p.told(start)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestPromptAgainstModel has alerts of a few groups come and go at random, and
// holds what is told to what every reader relies on.
func TestPromptAgainstModel(t *testing.T) {
	skipWithRaceDetector(t)
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			p := &place{}
			cfg := loadConfig(t, "%s", strings.Replace(prompted, "group_wait: 10s", "group_wait: 1s", 1))
			cfg.Delivery.Defaults.Prompt = []Prompt{PromptEnds, PromptChanges}[seed%2]
			d := testDeps(t, t.TempDir())
			d.Senders = sendTo(map[string]*place{"place": p})
			a := startAlerting(t, cfg, d)
			fires := make(map[string]bool)
			for range 300 {
				job, name := string(rune('x'+rng.IntN(3))), string(rune('A'+rng.IntN(3)))
				if fires[job+name] = !fires[job+name]; fires[job+name] {
					a.put(t, firing("alertname", name, "job", job))
				} else {
					a.put(t, resolved("alertname", name, "job", job))
				}
				time.Sleep(time.Duration(rng.Int64N(int64([]time.Duration{time.Millisecond, time.Second, 20 * time.Second}[rng.IntN(3)]))))
			}
			time.Sleep(3 * time.Minute)
			synctest.Wait()

			last, before := make(map[string]bool), make(map[string]string)
			for _, m := range p.messages() {
				brief := ""
				for _, al := range m.Alerts {
					last[string(al.Labels["job"])+al.Name()] = !al.Resolved()
					brief += al.Name() + string(al.Status())
				}
				if m.GroupKey != "" && brief == before[m.GroupKey] {
					t.Errorf("seed %d: %s told twice in a row: %s", seed, m.GroupKey, brief)
				}
				before[m.GroupKey] = brief
			}
			for name, want := range fires {
				if last[name] != want {
					t.Errorf("seed %d: %s fires: got %v told last, want %v", seed, name, last[name], want)
				}
			}
		})
	}
}
