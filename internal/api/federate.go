package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
	"google.golang.org/protobuf/proto"
)

// federation answers /federate: the newest sample of every series that one of
// the match[] selectors chooses, in the exposition format the scraper asks for.
// It means the same as Prometheus' handler, which cannot be used without its
// whole web server.
type federation struct {
	logger         *slog.Logger
	metrics        *metrics
	parser         parser.Parser
	local          storage.Queryable
	externalLabels func() labels.Labels
	lookback       time.Duration
}

// newest is the last sample of a series; h is nil for a float.
type newest struct {
	labels labels.Labels
	t      int64
	f      float64
	h      *histogram.FloatHistogram
}

// kind orders and separates the samples of one name: a family has one type.
func (s newest) kind() dto.MetricType {
	switch {
	case s.h == nil:
		return dto.MetricType_UNTYPED
	case s.h.CounterResetHint == histogram.GaugeType:
		return dto.MetricType_GAUGE_HISTOGRAM
	default:
		return dto.MetricType_HISTOGRAM
	}
}

func (f *federation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, fmt.Sprintf("parse form: %v", err), http.StatusBadRequest)
		return
	}
	selectors, err := f.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		http.Error(w, fmt.Sprintf("match[]: %v", err), http.StatusBadRequest)
		return
	}

	samples, warnings, err := f.collect(r.Context(), selectors, time.Now())
	f.metrics.federationWarnings.Add(float64(len(warnings)))
	if err != nil {
		f.metrics.federationErrors.Inc()
		status := http.StatusInternalServerError
		if errors.Is(err, tsdb.ErrNotReady) {
			status = http.StatusServiceUnavailable
		}
		http.Error(w, err.Error(), status)
		return
	}

	format := expfmt.NegotiateAccept(r.Header,
		expfmt.NewFormat(expfmt.TypeProtoDelim), expfmt.NewFormat(expfmt.TypeProtoText),
		expfmt.NewFormat(expfmt.TypeProtoCompact), expfmt.NewFormat(expfmt.TypeTextPlain))
	w.Header().Set("Content-Type", string(format))
	if err := f.encode(expfmt.NewEncoder(w, format), format.FormatType(), samples); err != nil {
		// The status is sent already. Most often the scraper has gone.
		f.metrics.federationErrors.Inc()
		f.logger.Debug("Federation answer cut short", "err", err)
	}
}

// collect returns the newest samples, ordered by name and kind.
func (f *federation) collect(ctx context.Context, selectors [][]*labels.Matcher, now time.Time) ([]newest, annotations.Annotations, error) {
	mint, maxt := timestamp.FromTime(now.Add(-f.lookback)), timestamp.FromTime(now)
	querier, err := f.local.Querier(mint, maxt)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = querier.Close() }() // It was only read from.

	hints := &storage.SelectHints{Start: mint, End: maxt}
	sets := make([]storage.SeriesSet, len(selectors))
	for i, matchers := range selectors {
		sets[i] = querier.Select(ctx, true, hints, matchers...)
	}
	merged := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)

	var samples []newest
	var chunks chunkenc.Iterator
	buffered := storage.NewBuffer(f.lookback.Milliseconds())
	for merged.Next() {
		series := merged.At()
		chunks = series.Iterator(chunks)
		buffered.Reset(chunks)
		sample := newest{labels: series.Labels()}
		if sample.read(buffered, maxt) && sample.labels.Has(model.MetricNameLabel) {
			samples = append(samples, sample)
		}
	}
	slices.SortStableFunc(samples, func(a, b newest) int {
		return cmp.Or(
			cmp.Compare(a.labels.Get(model.MetricNameLabel), b.labels.Get(model.MetricNameLabel)),
			cmp.Compare(a.kind(), b.kind()),
		)
	})
	return samples, merged.Warnings(), merged.Err()
}

// read takes the sample at maxt or the last one before it. It reports false
// for a series that ended or has none: the exposition formats have no stale
// marker, and the scraper's own staleness handling notices the absence.
func (s *newest) read(it *storage.BufferedSeriesIterator, maxt int64) bool {
	switch it.Seek(maxt) {
	case chunkenc.ValFloat:
		s.t, s.f = it.At()
	case chunkenc.ValHistogram, chunkenc.ValFloatHistogram:
		s.t, s.h = it.AtFloatHistogram(nil)
	default:
		last, ok := it.PeekBack(1)
		if !ok {
			return false
		}
		s.t = last.T()
		switch last.Type() {
		case chunkenc.ValFloat:
			s.f = last.F()
		case chunkenc.ValHistogram:
			s.h = last.H().ToFloat(nil)
		case chunkenc.ValFloatHistogram:
			s.h = last.FH()
		default:
			return false
		}
	}
	if s.h != nil {
		return !value.IsStaleNaN(s.h.Sum)
	}
	return !value.IsStaleNaN(s.f)
}

// encode writes one family per name and kind.
func (f *federation) encode(enc expfmt.Encoder, format expfmt.FormatType, samples []newest) error {
	external := f.externalLabels()
	if !external.Has(model.InstanceLabel) {
		// An empty instance keeps the scraper from setting its own.
		external = labels.FromMap(withEmptyInstance(external))
	}
	protobuf := format == expfmt.TypeProtoDelim || format == expfmt.TypeProtoText || format == expfmt.TypeProtoCompact

	var family *dto.MetricFamily
	for _, s := range samples {
		if s.h != nil && !protobuf && !s.h.UsesCustomBuckets() {
			continue // The text format has no native histograms.
		}
		name := s.labels.Get(model.MetricNameLabel)
		if family == nil || family.GetName() != name || family.GetType() != s.kind() {
			if err := ship(enc, family); err != nil {
				return err
			}
			family = &dto.MetricFamily{Name: proto.String(name), Type: s.kind().Enum()}
		}
		family.Metric = append(family.Metric, s.metric(external))
	}
	return ship(enc, family)
}

func ship(enc expfmt.Encoder, family *dto.MetricFamily) error {
	if family == nil {
		return nil
	}
	return enc.Encode(family)
}

func withEmptyInstance(external labels.Labels) map[string]string {
	m := external.Map()
	m[model.InstanceLabel] = ""
	return m
}

// metric is the sample with its own labels and the external ones it lacks.
func (s newest) metric(external labels.Labels) *dto.Metric {
	m := &dto.Metric{TimestampMs: proto.Int64(s.t)}
	add := func(l labels.Label) {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(l.Name), Value: proto.String(l.Value)})
	}
	s.labels.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel && l.Value != "" {
			add(l)
		}
	})
	external.Range(func(l labels.Label) {
		if !s.labels.Has(l.Name) {
			add(l)
		}
	})
	switch {
	case s.h == nil:
		m.Untyped = &dto.Untyped{Value: proto.Float64(s.f)}
	case s.h.UsesCustomBuckets():
		m.Histogram = classicHistogram(s.h)
	default:
		m.Histogram = nativeHistogram(s.h)
	}
	return m
}

func nativeHistogram(h *histogram.FloatHistogram) *dto.Histogram {
	return &dto.Histogram{
		SampleCountFloat: proto.Float64(h.Count),
		SampleSum:        proto.Float64(h.Sum),
		Schema:           proto.Int32(h.Schema),
		ZeroThreshold:    proto.Float64(h.ZeroThreshold),
		ZeroCountFloat:   proto.Float64(h.ZeroCount),
		NegativeSpan:     bucketSpans(h.NegativeSpans),
		NegativeCount:    h.NegativeBuckets,
		PositiveSpan:     bucketSpans(h.PositiveSpans),
		PositiveCount:    h.PositiveBuckets,
	}
}

func bucketSpans(spans []histogram.Span) []*dto.BucketSpan {
	var out []*dto.BucketSpan
	for _, s := range spans {
		out = append(out, &dto.BucketSpan{Offset: proto.Int32(s.Offset), Length: proto.Uint32(s.Length)})
	}
	return out
}

// classicHistogram turns custom buckets back into cumulative ones. The +Inf
// bucket is implied by the count; encoders add it where their format wants it.
func classicHistogram(h *histogram.FloatHistogram) *dto.Histogram {
	counts := make([]float64, len(h.CustomValues)+1)
	for it := h.PositiveBucketIterator(); it.Next(); {
		counts[it.At().Index] = it.At().Count
	}
	out := &dto.Histogram{SampleCountFloat: proto.Float64(h.Count), SampleSum: proto.Float64(h.Sum)}
	var below float64
	for i, bound := range h.CustomValues {
		below += counts[i]
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: proto.Float64(bound), CumulativeCountFloat: proto.Float64(below)})
	}
	return out
}
