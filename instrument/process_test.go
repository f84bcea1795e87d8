package instrument

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStreamIsHealthyByItsDataAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		streams, err := NewStreams(reg, StreamsConfig{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := streams.Stream(USDM, "btcusdt@kline_1m")
		if err != nil {
			t.Fatal(err)
		}
		const labels = `{market="usdm",stream="btcusdt@kline_1m"}`
		want := func(connected, awaiting, messages, reconnects float64) {
			t.Helper()
			wantSeries(t, reg, "hedgewatch_binance_stream_connected"+labels, connected)
			wantSeries(t, reg, "hedgewatch_binance_stream_awaiting_first_message"+labels, awaiting)
			wantSeries(t, reg, "hedgewatch_binance_stream_messages_total"+labels, messages)
			wantSeries(t, reg, "hedgewatch_binance_stream_reconnects_total"+labels, reconnects)
		}
		const last = "hedgewatch_binance_stream_last_message_timestamp_seconds"
		want(0, 0, 0, 0)
		s.Subscribed()
		time.Sleep(time.Minute) // Acknowledged, and silent.
		want(1, 1, 0, 0)
		wantNoSeries(t, reg, last)
		wantSeries(t, reg, "hedgewatch_binance_stream_subscribed_timestamp_seconds"+labels, seconds(time.Now())-60)

		s.Message(time.Now().Add(-time.Second))
		s.Message(time.Time{})
		want(1, 0, 2, 0)
		wantSeries(t, reg, last+labels, seconds(time.Now()))
		wantSeries(t, reg, `hedgewatch_binance_stream_lag_seconds{market="usdm"}`, 1)
		s.Disconnected()
		want(0, 0, 2, 0)
		s.Subscribed()
		want(1, 1, 2, 1)
		s.Remove()
		wantNoSeries(t, reg, last)
		wantNoSeries(t, reg, "hedgewatch_binance_stream_messages_total")
	})
}

func TestStreamsAreBounded(t *testing.T) {
	streams, err := NewStreams(prometheus.NewRegistry(), StreamsConfig{MaxStreams: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := streams.Stream(Spot, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := streams.Stream(Spot, "a"); err == nil || !strings.Contains(err.Error(), "tracked already") {
		t.Errorf("got error %v for the same stream, want one that says so", err)
	}
	if _, err := streams.Stream(Spot, "b"); err == nil || !strings.Contains(err.Error(), "MaxStreams") {
		t.Errorf("got error %v, want one that names MaxStreams", err)
	}
	if _, err := streams.Stream("forex", "a"); err == nil || !strings.Contains(err.Error(), "use Spot") {
		t.Errorf("got error %v for a market that there is not, want one that names those there are", err)
	}
	s.Remove()
	if _, err := streams.Stream(Spot, "b"); err != nil {
		t.Errorf("track another after Remove: %v", err)
	}
}

func TestJobShowsItsRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		jobs, err := NewJobs(reg)
		if err != nil {
			t.Fatal(err)
		}
		j, err := jobs.Job("reconcile", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		const success = "hedgewatch_job_last_success_timestamp_seconds"
		wantSeries(t, reg, `hedgewatch_job_runs_total{outcome="failure",task="reconcile"}`, 0)
		wantSeries(t, reg, `hedgewatch_job_interval_seconds{task="reconcile"}`, 60)

		broken := errors.New("database is gone")
		if err := j.Run(t.Context(), func(context.Context) error { return broken }); err != broken {
			t.Errorf("got error %v, want that of the run", err)
		}
		wantNoSeries(t, reg, success) // It never went well.
		begin := time.Now()
		err = j.Run(t.Context(), func(context.Context) error {
			wantSeries(t, reg, `hedgewatch_job_running{task="reconcile"}`, 1)
			time.Sleep(5 * time.Second)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		wantSeries(t, reg, success+`{task="reconcile"}`, seconds(begin)+5)
		wantSeries(t, reg, `hedgewatch_job_last_start_timestamp_seconds{task="reconcile"}`, seconds(begin))
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of a run was swallowed")
				}
			}()
			_ = j.Run(t.Context(), func(context.Context) error { panic("bug") })
		}()
		for outcome, want := range map[string]float64{"success": 1, "failure": 1, "panic": 1} {
			wantSeries(t, reg, `hedgewatch_job_runs_total{outcome="`+outcome+`",task="reconcile"}`, want)
		}
		wantSeries(t, reg, `hedgewatch_job_running{task="reconcile"}`, 0)
		wantSeries(t, reg, `hedgewatch_job_duration_seconds{task="reconcile"}`, 3)
		time.Sleep(time.Hour)
		j.Heartbeat()
		wantSeries(t, reg, success+`{task="reconcile"}`, seconds(time.Now()))
	})
}

func TestJobsAreRefusedWithWhatToDo(t *testing.T) {
	jobs, err := NewJobs(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Job("a", 0); err == nil || !strings.Contains(err.Error(), "how often") {
		t.Errorf("got error %v for no interval, want one that asks for it", err)
	}
	for i := range maxJobs {
		if _, err := jobs.Job(strings.Repeat("x", 1+i), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := jobs.Job("one more", time.Second); err == nil || !strings.Contains(err.Error(), "name jobs by what they do") {
		t.Errorf("got error %v, want one that says what to do", err)
	}
}

func TestPanicsAreCountedByPlace(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	panics, err := NewPanics(reg, "orders", "fills")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("index out of range")
	work := func(place string, v any) (got error) {
		defer panics.Recover(place, func(err error) { got = err })
		if v != nil {
			panic(v)
		}
		return nil
	}
	if got := work("orders", nil); got != nil {
		t.Errorf("got %v without a panic, want nothing", got)
	}
	got := work("orders", cause)
	if !errors.Is(got, cause) || !strings.Contains(got.Error(), "TestPanicsAreCountedByPlace") {
		t.Errorf("got %v, want the panic's error with its stack", got)
	}
	work("nowhere", "text")
	wantSeries(t, reg, `hedgewatch_service_panics_total{place="orders"}`, 1)
	wantSeries(t, reg, `hedgewatch_service_panics_total{place="fills"}`, 0)
	wantSeries(t, reg, `hedgewatch_service_panics_total{place="other"}`, 1)
}

func TestBuildInfoNamesTheService(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if err := RegisterBuildInfo(reg, "crawler", "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	wantSeries(t, reg, `hedgewatch_service_build_info{goversion="`+runtime.Version()+`",revision="unknown",service="crawler",version="v1.2.3"}`, 1)
	if err := RegisterBuildInfo(prometheus.NewRegistry(), "", ""); err == nil {
		t.Error("got no error for a service without a name")
	}
}
