package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

const (
	// salvageDir holds a repaired segment until it is complete.
	salvageDir = ".salvage"
	// salvageSegmentBytes lets every repaired segment stay one file.
	salvageSegmentBytes = 1 << 30
	// fenceGap is more series than one lost record can have defined.
	fenceGap = 1 << 20
)

// inspectSegment checks one segment. If only its last record was cut off, it is
// shortened: that commit was never acknowledged. Other damage sends the segment
// to quarantine, and its intact records take its place.
func (s *Store) inspectSegment(path, kind string, last bool) error {
	damages, err := scan(path)
	if err != nil {
		return fmt.Errorf("check %q: %w", path, err)
	}
	switch {
	case len(damages) == 0:
		return nil
	case last && len(damages) == 1 && damages[0].torn:
		s.logger.Warn("Last record of the log was not written to its end and is dropped; it was not acknowledged",
			"segment", path, "offset", damages[0].offset)
		return os.Truncate(path, damages[0].offset)
	}
	tmp := filepath.Join(s.quarantine.dir, salvageDir)
	saved, err := salvage(path, tmp, kind != kindWBL)
	if err == nil {
		err = s.quarantine.link(QuarantinedFile{
			Kind: kind, From: path,
			Found: fmt.Sprintf("%s at byte %d, and damage in %d places in all", damages[0].reason, damages[0].offset, len(damages)),
			Lost:  fmt.Sprintf("the records in these places; %d intact ones before, between and behind them were kept", saved.records),
			// What is lost lies between the samples around it.
			MinTime: saved.before, MaxTime: saved.after,
		})
	}
	if err == nil {
		err = errors.Join(os.Rename(saved.path, path), syncPath(filepath.Dir(path)))
	}
	if err := errors.Join(err, os.RemoveAll(tmp)); err != nil {
		return fmt.Errorf("repair %q: %w", path, err)
	}
	return nil
}

// scan finds the damage in a segment without unpacking anything.
func scan(path string) ([]damage, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	seg := newSegment(f)
	seg.raw = true
	for seg.next() {
	}
	return seg.damages, seg.err
}

// salvaged is a segment made of the intact records of a damaged one.
type salvaged struct {
	path    string
	records int
	// before and after are the times of the samples around the damage.
	before, after time.Time
}

// salvage copies the intact records of a segment to a new one in dir.
func salvage(path, dir string, fence bool) (_ salvaged, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return salvaged{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return salvaged{}, err
	}
	defer f.Close()
	out, err := wlog.NewSize(promslog.NewNopLogger(), nil, dir, salvageSegmentBytes, compression.Snappy)
	if err != nil {
		return salvaged{}, err
	}
	w := newWitness()
	records := 0
	seg := newSegment(f)
	for seg.next() && err == nil {
		if !w.see(seg.rec, len(seg.damages)) {
			continue
		}
		err = out.Log(seg.rec)
		records++
	}
	if fence && err == nil {
		err = out.Log(w.fence())
	}
	before, after := w.gap()
	return salvaged{path: wlog.SegmentName(dir, 0), records: records, before: before, after: after},
		errors.Join(err, seg.err, out.Close())
}

// witness learns from the intact records what the lost ones were about.
type witness struct {
	dec           record.Decoder
	samples       []record.RefSample
	series        []record.RefSeries
	maxRef        chunks.HeadSeriesRef
	before, after int64 // In milliseconds; 0 if unknown.
	damages       int
}

func newWitness() *witness {
	return &witness{dec: record.NewDecoder(nil, promslog.NewNopLogger())}
}

// see looks at a record that has so many places of damage before it. It
// returns false for one that the library would stumble over.
func (w *witness) see(rec []byte, damages int) bool {
	if damages > w.damages {
		w.damages, w.after = damages, 0
	}
	switch w.dec.Type(rec) {
	case record.Series:
		series, err := w.dec.Series(rec, w.series[:0])
		if err != nil {
			return false
		}
		w.series = series
		for _, s := range series {
			w.maxRef = max(w.maxRef, s.Ref)
		}
	case record.Samples, record.SamplesV2:
		samples, err := w.dec.Samples(rec, w.samples[:0])
		if err != nil {
			return false
		}
		if len(samples) == 0 {
			return true
		}
		w.samples = samples
		for _, s := range samples {
			w.maxRef = max(w.maxRef, s.Ref)
		}
		switch {
		case damages == 0:
			w.before = samples[len(samples)-1].T
		case w.after == 0:
			w.after = samples[0].T
		}
	}
	return true
}

// gap is when the samples before the first and after the last damage were
// taken; zero where there are none.
func (w *witness) gap() (before, after time.Time) {
	if w.before != 0 {
		before = time.UnixMilli(w.before).UTC()
	}
	if w.after != 0 {
		after = time.UnixMilli(w.after).UTC()
	}
	return before, after
}

// fence is a series record that keeps the references of lost series from being
// given to new ones: samples and chunks of the old series may still exist. The
// library drops the series itself, because it has no samples.
//
//	refs seen up to 7, lost record defined 8 and 9 -> next new series gets 1048584
func (w *witness) fence() []byte {
	var enc record.Encoder
	return enc.Series([]record.RefSeries{{
		Ref:    w.maxRef + fenceGap,
		Labels: labels.FromStrings(model.MetricNameLabel, "hedgewatch_store_salvaged"),
	}}, nil)
}
