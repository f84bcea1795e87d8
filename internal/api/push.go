package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"sync"

	"github.com/golang/snappy"
)

const (
	// maxPushBytes bounds a pushed body, compressed and decompressed. The
	// embedded handlers stop at the same size, but without saying so.
	maxPushBytes = 32 << 20
	// maxFormBytes bounds every other body: queries, silences, alerts.
	maxFormBytes = 10 << 20
)

// pushFormat is what one endpoint accepts.
type pushFormat struct {
	types    []string // media types
	strict   bool     // a missing content type is refused
	encoding string   // the one content encoding besides none
	hint     string   // what to send instead

	check  func(body []byte) error                       // refuses a body unread; optional
	unpack func(dst *bytes.Buffer, body io.Reader) error // decodes the encoding; nil: the embedded handler does
}

func remoteWriteFormat() pushFormat {
	return snappyFormat("send remote write 1 as application/x-protobuf, or remote write 2 as " +
		"application/x-protobuf;proto=io.prometheus.write.v2.Request, compressed with snappy")
}

func remoteReadFormat() pushFormat {
	return snappyFormat("send a remote read request as application/x-protobuf, compressed with snappy")
}

func snappyFormat(hint string) pushFormat {
	return pushFormat{types: []string{"application/x-protobuf"}, encoding: "snappy", hint: hint, check: checkSnappy}
}

func otlpFormat() pushFormat {
	return pushFormat{
		types:    []string{"application/x-protobuf", "application/json"},
		encoding: "gzip",
		hint:     "send OTLP metrics as application/x-protobuf or application/json, plain or with gzip",
		unpack:   gunzip,
		strict:   true,
	}
}

// refusal is an error with the status that tells the client whose fault it is.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func tooLarge(limit int64) error {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d MiB; send smaller batches", limit>>20)}
}

// pushes reads the whole body, bounded, before the embedded handler sees it: a
// slow sender then holds no slot in that handler, and every kind of bad body
// gets its own status.
func pushes(format pushFormat, next http.Handler) http.Handler {
	buffers := &sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := buffers.Get().(*bytes.Buffer)
		unpacked := buffers.Get().(*bytes.Buffer)
		defer func() {
			for _, b := range []*bytes.Buffer{body, unpacked} {
				b.Reset()
				buffers.Put(b)
			}
		}()
		if err := format.read(w, r, body, unpacked); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// read checks the headers, reads the body and leaves it, decoded where the
// format says so, in r.
func (f pushFormat) read(w http.ResponseWriter, r *http.Request, body, unpacked *bytes.Buffer) error {
	if err := f.checkHeaders(r); err != nil {
		return err
	}
	if r.ContentLength > maxPushBytes {
		return tooLarge(maxPushBytes)
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxPushBytes)); err != nil {
		return bodyError(err, maxPushBytes)
	}
	if f.check != nil {
		if err := f.check(body.Bytes()); err != nil {
			return err
		}
	}
	if f.unpack != nil && r.Header.Get("Content-Encoding") != "" {
		if err := f.unpack(unpacked, body); err != nil {
			return err
		}
		r.Header.Del("Content-Encoding")
		body = unpacked
	}
	r.Body = io.NopCloser(body)
	r.ContentLength = int64(body.Len())
	return nil
}

func (f pushFormat) checkHeaders(r *http.Request) error {
	sent := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(sent)
	missing := sent == "" && !f.strict
	if !missing && (err != nil || !slices.Contains(f.types, media)) {
		return &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("content type %q is not accepted: %s", sent, f.hint)}
	}
	if f.strict {
		r.Header.Set("Content-Type", media) // The embedded handler knows no parameters.
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != f.encoding {
		return &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("content encoding %q is not accepted: %s", e, f.hint)}
	}
	return nil
}

// checkSnappy refuses a block by the size it claims, before anyone allocates it.
func checkSnappy(body []byte) error {
	size, err := snappy.DecodedLen(body)
	if err != nil {
		return &refusal{http.StatusBadRequest, fmt.Sprintf("body is not a snappy block of %d bytes: %v", len(body), err)}
	}
	if size > maxPushBytes {
		return tooLarge(maxPushBytes)
	}
	return nil
}

func gunzip(dst *bytes.Buffer, body io.Reader) error {
	zr, err := gzip.NewReader(body)
	if err != nil {
		return &refusal{http.StatusBadRequest, fmt.Sprintf("body is not gzip: %v", err)}
	}
	if _, err := dst.ReadFrom(io.LimitReader(zr, maxPushBytes+1)); err != nil {
		return &refusal{http.StatusBadRequest, fmt.Sprintf("body ends early or is damaged: %v", err)}
	}
	if dst.Len() > maxPushBytes {
		return tooLarge(maxPushBytes)
	}
	return nil
}

// boundForm bounds the bodies of all other requests. Form values are parsed
// here, because the embedded handlers drop the error and then miss a parameter
// that was in fact too long.
func boundForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxFormBytes {
			refuse(w, tooLarge(maxFormBytes))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // Anything odd is no form.
		if media == "application/x-www-form-urlencoded" {
			if err := r.ParseForm(); err != nil {
				refuse(w, bodyError(err, maxFormBytes))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// bodyError names the reason why a body could not be read.
func bodyError(err error, limit int64) error {
	var overrun *http.MaxBytesError
	if errors.As(err, &overrun) {
		return tooLarge(limit)
	}
	return &refusal{http.StatusBadRequest, fmt.Sprintf("body ends early or is damaged: %v", err)}
}

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var r *refusal
	if errors.As(err, &r) {
		status = r.status
	}
	http.Error(w, err.Error(), status)
}
