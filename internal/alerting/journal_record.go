package alerting

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// The journal is a sequence of records, each of which says what one key now
// holds, so the last record of a key wins and records may be rewritten in any
// order. A record on disk, integers little-endian:
//
//	4 bytes  marker, by which reading finds its way after damage
//	4 bytes  CRC-32C of the body
//	4 bytes  length of the body
//	body     op (1 set, 2 delete), expiry (varint, Unix ms, 0 never),
//	         length of the key (uvarint), key, value (the rest)
const recordHeaderBytes = 12

// recordMarker starts with a byte that no UTF-8 text contains and ends with the
// version of the format.
var recordMarker = []byte{0xff, 'H', 'W', '1'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	opSet    = 1
	opDelete = 2
)

// entry is what the journal holds under a key.
type entry struct {
	value []byte
	// expires is when the entry may be forgotten; zero is never.
	expires time.Time
}

func (e entry) expired(now time.Time) bool {
	return !e.expires.IsZero() && !e.expires.After(now)
}

func appendSet(b []byte, key string, e entry) []byte {
	var expiresMs int64
	if !e.expires.IsZero() {
		expiresMs = e.expires.UnixMilli()
	}
	return appendRecord(b, opSet, expiresMs, key, e.value)
}

func appendDelete(b []byte, key string) []byte {
	return appendRecord(b, opDelete, 0, key, nil)
}

func appendRecord(b []byte, op byte, expiresMs int64, key string, value []byte) []byte {
	start := len(b)
	b = append(b, recordMarker...)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // CRC and length, known below
	b = append(b, op)
	b = binary.AppendVarint(b, expiresMs)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = append(b, value...)

	body := b[start+recordHeaderBytes:]
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	binary.LittleEndian.PutUint32(b[start+8:], uint32(len(body)))
	return b
}

// record is one decoded record; its value shares memory with what was read.
type record struct {
	op  byte
	key string
	entry
}

// decodeRecord decodes the record that b starts with and returns its size.
func decodeRecord(b []byte) (r record, size int, ok bool) {
	if len(b) < recordHeaderBytes || !bytes.HasPrefix(b, recordMarker) {
		return record{}, 0, false
	}
	bodyBytes := int64(binary.LittleEndian.Uint32(b[8:]))
	if bodyBytes > int64(len(b)-recordHeaderBytes) {
		return record{}, 0, false
	}
	body := b[recordHeaderBytes : recordHeaderBytes+int(bodyBytes)]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return record{}, 0, false
	}
	size = recordHeaderBytes + len(body)

	if len(body) == 0 || (body[0] != opSet && body[0] != opDelete) {
		return record{}, 0, false
	}
	r.op, body = body[0], body[1:]
	expiresMs, n := binary.Varint(body)
	if n <= 0 {
		return record{}, 0, false
	}
	if expiresMs != 0 {
		r.expires = time.UnixMilli(expiresMs)
	}
	body = body[n:]
	keyBytes, n := binary.Uvarint(body)
	if n <= 0 || keyBytes > uint64(len(body)-n) {
		return record{}, 0, false
	}
	body = body[n:]
	r.key, r.value = string(body[:keyBytes]), body[keyBytes:]
	return r, size, true
}

// damage says which parts of a journal could not be read.
type damage struct {
	// tornBytes is the length of an unreadable end: the write that a crash
	// interrupted, which nobody was told had succeeded.
	tornBytes int
	// holes counts unreadable stretches with readable records behind them, and
	// holeBytes their length. A crash does not explain them.
	holes, holeBytes int
}

// readRecords calls apply for every readable record of data, in order.
func readRecords(data []byte, apply func(record)) damage {
	var d damage
	for len(data) > 0 {
		r, size, ok := decodeRecord(data)
		if ok {
			apply(r)
			data = data[size:]
			continue
		}
		skip, found := nextRecord(data)
		if !found {
			d.tornBytes = len(data)
			break
		}
		d.holes++
		d.holeBytes += skip
		data = data[skip:]
	}
	return d
}

// nextRecord finds the first readable record behind the start of data.
func nextRecord(data []byte) (offset int, found bool) {
	for offset = 1; ; offset++ {
		i := bytes.Index(data[offset:], recordMarker)
		if i < 0 {
			return 0, false
		}
		offset += i
		if _, _, ok := decodeRecord(data[offset:]); ok {
			return offset, true
		}
	}
}
