package app

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
)

func TestDeliveryQuery(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		query string
		want  alerting.DeliveryQuery
		err   string
	}{
		{query: ""},
		{
			query: "receiver=ops&group=%7B%7D&fingerprint=0000000000000007&outcome=retry&limit=5",
			want:  alerting.DeliveryQuery{Receiver: "ops", GroupKey: "{}", Fingerprint: "0000000000000007", Outcome: alerting.OutcomeRetry, Limit: 5},
		},
		{query: "from=2026-11-22T12:00:00Z", want: alerting.DeliveryQuery{From: noon}},
		{query: "to=1795348800", want: alerting.DeliveryQuery{To: noon}},
		{query: "outcome=lost", err: `invalid request: outcome: there is none called "lost"`},
		{query: "limit=0", err: `invalid request: limit: "0" is not a number from 1 to 1000`},
		{query: "from=noon", err: `invalid request: from: "noon" is no time; use 2026-11-22T12:00:00Z or Unix seconds`},
		{query: "to=NaN", err: `invalid request: to: "NaN" is no time; use 2026-11-22T12:00:00Z or Unix seconds`},
	} {
		t.Run(test.query, func(t *testing.T) {
			v, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseDeliveryQuery(v)
			if text := errorText(err); text != test.err {
				t.Fatalf("got error %q, want %q", text, test.err)
			}
			if diff := cmp.Diff(test.want, got); test.err == "" && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
