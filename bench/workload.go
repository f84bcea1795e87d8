package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// ownSeries is how many series an instance has besides those of its paths, of
// which each has 18.
const ownSeries = 10

// hundredThousand is the size of a workload of 100,000 series.
func hundredThousand() (instances, paths int) { return 100, 55 }

// An instance is one imagined HTTP service with the usual metrics: counters by
// path and code, a latency histogram by path, CPU and memory. Equal seeds make
// equal values.
type instance struct {
	series []series
	paths  []endpoint
	rng    *rand.Rand
}

// A series has a name and labels in both forms in which they are needed.
type series struct {
	labels labels.Labels
	text   string
	value  float64
}

// An endpoint is the indices of its series.
type endpoint struct{ codes, buckets, sum, count int }

// The tables of a workload: codes with their share of the requests, and upper
// bounds of buckets with the share that they hold.
func codes() []string       { return []string{"200", "404", "429", "500"} }
func codeShares() []float64 { return []float64{0.96, 0.02, 0.015, 0.005} }
func bounds() []string {
	return []string{".005", ".01", ".025", ".05", ".1", ".25", ".5", "1", "2.5", "5", "10", "+Inf"}
}

func boundShares() []float64 { return []float64{.1, .3, .5, .7, .85, .93, .97, .99, .995, .999, 1, 1} }

func newInstance(number, paths int) *instance {
	in := &instance{rng: rand.New(rand.NewPCG(uint64(number), 1))}
	own := []string{"job", "api", "instance", fmt.Sprintf("api-%d", number)}
	for p := range paths {
		with := append(own[:len(own):len(own)], "path", fmt.Sprintf("/api/v1/orders/%d", p))
		here := endpoint{codes: len(in.series)}
		for _, code := range codes() {
			in.add("http_requests_total", append(with[:len(with):len(with)], "code", code))
		}
		here.buckets = len(in.series)
		for _, bound := range bounds() {
			in.add("http_request_duration_seconds_bucket", append(with[:len(with):len(with)], "le", bound))
		}
		here.sum = in.add("http_request_duration_seconds_sum", with)
		here.count = in.add("http_request_duration_seconds_count", with)
		in.paths = append(in.paths, here)
	}
	for _, cpu := range []string{"0", "1"} {
		for _, mode := range []string{"user", "system", "iowait", "idle"} {
			in.add("node_cpu_seconds_total", append(own[:len(own):len(own)], "cpu", cpu, "mode", mode))
		}
	}
	in.add("process_open_fds", own)
	in.add("process_resident_memory_bytes", own)
	return in
}

func newInstances(n, paths int) (all []*instance) {
	for number := range n {
		all = append(all, newInstance(number, paths))
	}
	return all
}

// add appends a series and returns its index.
func (in *instance) add(name string, pairs []string) int {
	text := name + "{"
	for i := 0; i < len(pairs); i += 2 {
		text += pairs[i] + "=" + strconv.Quote(pairs[i+1]) + ","
	}
	text = text[:len(text)-1] + "} "
	in.series = append(in.series, series{labels: labels.FromStrings(append(pairs[:len(pairs):len(pairs)], model.MetricNameLabel, name)...), text: text})
	return len(in.series) - 1
}

// step moves every series on, by about 15 s of work.
func (in *instance) step() {
	for _, p := range in.paths {
		requests := 100 + 50*in.rng.Float64()
		for i, share := range codeShares() {
			in.series[p.codes+i].value += math.Round(requests * share * in.rng.Float64())
		}
		for i, share := range boundShares() {
			in.series[p.buckets+i].value += math.Round(requests * share)
		}
		in.series[p.sum].value += requests * (0.05 + 0.01*in.rng.Float64())
		in.series[p.count].value += math.Round(requests)
	}
	rest := in.series[len(in.series)-ownSeries:]
	for i := range rest[:ownSeries-2] {
		rest[i].value += math.Round(100*in.rng.Float64()*3.75) / 100
	}
	rest[ownSeries-2].value = math.Round(100 + 20*in.rng.Float64())
	rest[ownSeries-1].value = math.Round(500+20*in.rng.Float64()) * (1 << 20)
}

// appendText appends the exposition format.
func (in *instance) appendText(b []byte) []byte {
	for _, s := range in.series {
		b = append(b, s.text...)
		b = strconv.AppendFloat(b, s.value, 'g', -1, 64)
		b = append(b, '\n')
	}
	return b
}
