package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/prometheus/prometheus/util/compression"
)

// A log segment is a row of 32 KiB pages. A page holds fragments of records,
// each behind a header of 7 bytes, and zeros after the last one:
//
//	| type 1 | length 2 | CRC-32C 4 | data … |
//
// A record is one full fragment, or a first one, middle ones and a last one,
// within one segment. Because a fragment never crosses a page, reading can
// begin again at the next page after any damage; the library gives up instead.
const (
	pageBytes   = 32 << 10
	headerBytes = 7
)

const (
	fragNone   = 0 // The rest of the page is empty.
	fragFull   = 1
	fragFirst  = 2
	fragMiddle = 3
	fragLast   = 4

	fragTypeMask = 1<<3 - 1
	fragSnappy   = 1 << 3
	fragZstd     = 1 << 4
)

// damage is a stretch of a segment that holds no intact record.
type damage struct {
	offset int64
	reason string
	// torn says that the segment ends in the middle of a record: what a kill
	// leaves behind, of a commit that was never acknowledged.
	torn bool
}

// segment reads records around damage. Use it like bufio.Scanner.
type segment struct {
	r      *bufio.Reader
	raw    bool // Check the frames only; rec stays empty.
	table  *crc32.Table
	decBuf compression.DecodeBuffer

	page   [pageBytes]byte
	base   int64 // Offset of page in the segment.
	filled int   // Bytes of page that are in the file; the library reads the rest as zeros.
	pos    int   // In page.

	frags   []byte // Data of the record that is being put together.
	started int64  // Offset of its first fragment; -1 if none has begun.
	lost    bool   // Damage was met; its middle and last fragments are no news.

	rec     []byte // Valid until next is called again.
	damages []damage
	err     error
}

func newSegment(r io.Reader) *segment {
	return &segment{
		r:       bufio.NewReaderSize(r, 32*pageBytes),
		table:   crc32.MakeTable(crc32.Castagnoli),
		decBuf:  compression.NewSyncDecodeBuffer(),
		base:    -pageBytes,
		pos:     pageBytes,
		started: -1,
	}
}

// next finds the next intact record.
func (s *segment) next() bool {
	for s.err == nil {
		if s.pos >= pageBytes && !s.fill() {
			if s.err == nil && s.started >= 0 {
				s.damage(s.started, "the last record is cut off", true)
			}
			return false
		}
		if s.fragment() {
			return true
		}
	}
	return false
}

// fill reads the next page. The last one may be short.
func (s *segment) fill() bool {
	n, err := io.ReadFull(s.r, s.page[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
		return false
	}
	if n == 0 {
		return false
	}
	clear(s.page[n:])
	s.base, s.filled, s.pos = s.base+pageBytes, n, 0
	return true
}

// fragment reads one and reports whether it ends a record.
func (s *segment) fragment() bool {
	at := s.base + int64(s.pos)
	rest := s.page[s.pos:]
	typ := rest[0] & fragTypeMask
	if typ == fragNone {
		s.pos = pageBytes
		if len(bytes.TrimLeft(rest, "\x00")) > 0 {
			s.damage(at, "data where the page should be empty", false)
		}
		return false
	}
	inFile := s.filled - s.pos
	if len(rest) < headerBytes || inFile < headerBytes {
		s.pos = pageBytes
		s.damage(at, "a record header is cut off", inFile < headerBytes && s.filled < pageBytes)
		return false
	}
	length := int(binary.BigEndian.Uint16(rest[1:]))
	if headerBytes+length > len(rest) {
		s.pos = pageBytes
		s.damage(at, "a record is longer than its page", false)
		return false
	}
	s.pos += headerBytes + length
	data := rest[headerBytes : headerBytes+length]
	if crc32.Checksum(data, s.table) != binary.BigEndian.Uint32(rest[3:]) {
		// If only the data is damaged, the next fragment follows here. If the
		// length is, what follows fails the same check until the page ends.
		s.damage(at, "the checksum of a record is wrong", headerBytes+length > inFile)
		return false
	}
	switch typ {
	case fragFull, fragFirst:
		if s.started >= 0 {
			s.damage(s.started, "a record has no end", false)
		}
		s.frags, s.started, s.lost = s.frags[:0], at, false
	case fragMiddle, fragLast:
		if s.started < 0 {
			s.damage(at, "a record has no beginning", false)
			return false
		}
	default:
		s.damage(at, fmt.Sprintf("unknown record type %d", typ), false)
		return false
	}
	if !s.raw {
		s.frags = append(s.frags, data...)
	}
	return (typ == fragFull || typ == fragLast) && s.finish(rest[0])
}

// finish unpacks the record whose last fragment has the header byte h.
func (s *segment) finish(h byte) bool {
	at := s.started
	s.started = -1
	if s.raw {
		return true
	}
	packing := compression.None
	switch {
	case h&fragSnappy != 0:
		packing = compression.Snappy
	case h&fragZstd != 0:
		packing = compression.Zstd
	}
	rec, err := compression.Decode(packing, s.frags, s.decBuf)
	if err != nil {
		s.damage(at, "a record cannot be unpacked: "+err.Error(), false)
		return false
	}
	s.rec = rec
	return true
}

// damage notes what was met and drops the record that was begun. One stretch
// of damage is noted once.
func (s *segment) damage(offset int64, reason string, torn bool) {
	if s.started >= 0 {
		offset = s.started
	}
	s.started = -1
	if s.lost {
		return
	}
	s.lost = true
	s.damages = append(s.damages, damage{offset: offset, reason: reason, torn: torn})
}
