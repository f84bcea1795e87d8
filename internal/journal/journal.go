// Package journal keeps a small map on disk: what a part must still know after
// a crash, in one append-only file that is rewritten when half of it is
// superseded.
//
// It is for state that changes rarely and fits in memory. Samples belong in
// package store. Start with [Open].
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// slackBytes is how much superseded data the file may hold, beyond as much
	// again as is live, before it is rewritten.
	slackBytes = 1 << 18
	// retryAfter is how long a file that could not be rewritten is left alone.
	retryAfter = time.Second
)

// Journal is a map from keys to JSON values. Its methods may be called at the
// same time.
type Journal struct {
	path string

	// writing is held while the file changes, so that its records are in the
	// order of the changes. It guards what follows.
	writing sync.Mutex
	// file is open for appending; nil means that the next write replaces the
	// file at path as a whole, because it is new, damaged, or refused a write.
	file *os.File
	size int
	// refusal is why the last rewrite went wrong, at the time refused.
	refusal error
	refused time.Time

	// mu guards live and its size.
	mu        sync.Mutex
	live      map[string]json.RawMessage
	liveBytes int
}

// Change is a new value for a key. A nil Value removes the key.
type Change struct {
	Key   string
	Value json.RawMessage
}

// Set returns the change that makes key hold value, which must be encodable.
func Set(key string, value any) (Change, error) {
	v, err := json.Marshal(value)
	if err != nil {
		return Change{}, fmt.Errorf("encode %q: %w", key, err)
	}
	return Change{Key: key, Value: v}, nil
}

// Open reads the journal at path, which need not exist yet, and makes its
// directory. damaged is the number of bytes that could not be read: the end of
// an interrupted write, or a fault of the disk. The readable records are used.
func Open(path string) (j *Journal, damaged int, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, fmt.Errorf("create directory of journal: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("read journal: %w", err)
	}
	j = &Journal{path: path, live: map[string]json.RawMessage{}}
	for line := range bytes.Lines(text) {
		r, ok := decode(line)
		switch {
		case !ok:
			damaged += len(line)
		default:
			j.set(Change(r))
		}
	}
	return j, damaged, nil
}

// All returns what the journal holds.
func (j *Journal) All() map[string]json.RawMessage {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.live)
}

// Write makes changes, in order, and returns when they are on disk. After an
// error they hold in memory, and the next Write that succeeds, a second later
// at the earliest, saves them too.
func (j *Journal) Write(changes ...Change) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	var batch []byte
	j.mu.Lock()
	for _, c := range changes {
		j.set(c)
		batch = appendRecord(batch, c)
	}
	resting := j.refusal != nil && time.Since(j.refused) < retryAfter
	rewrite := !resting && (j.file == nil || j.size+len(batch) > 2*j.liveBytes+slackBytes)
	if rewrite {
		batch = batch[:0]
		for key, value := range j.live {
			batch = appendRecord(batch, Change{key, value})
		}
	}
	j.mu.Unlock()
	switch {
	case resting:
		return j.refusal
	case rewrite:
		j.refusal, j.refused = j.rewrite(batch), time.Now()
		return j.refusal
	}
	return j.append(batch)
}

// set applies c, under mu or before anyone shares the journal.
func (j *Journal) set(c Change) {
	if before, ok := j.live[c.Key]; ok {
		j.liveBytes -= recordBytes(c.Key, before)
	}
	if c.Value == nil {
		delete(j.live, c.Key)
		return
	}
	j.live[c.Key] = c.Value
	j.liveBytes += recordBytes(c.Key, c.Value)
}

// Close ends writing. The journal can be read still.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

func (j *Journal) append(batch []byte) error {
	n, err := j.file.Write(batch)
	j.size += n
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// What stands at the file's end now is unknown: start a new one.
		_ = j.file.Close()
		j.file = nil
		return fmt.Errorf("append to journal: %w", err)
	}
	return nil
}

// rewrite replaces the file by one that holds just text.
func (j *Journal) rewrite(text []byte) error {
	if j.file != nil {
		_ = j.file.Close() // It is replaced.
		j.file = nil
	}
	next := j.path + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("rewrite journal: %w", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(next, j.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(j.path))
	}
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("rewrite journal: %w", err)
	}
	j.file, j.size = f, len(text)
	return nil
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A record is a line of text: the CRC-32C of the rest in eight hexadecimal
// digits, a space, and the change as JSON.
//
//	1f2e3d4c {"key":"ban/1.2.3.4","value":{"name":"ExchangeBan"}}
type record struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"`
}

const sumDigits = 8

// recordBytes is the size of a record, give or take what JSON escapes in a key.
func recordBytes(key string, value json.RawMessage) int {
	return len(key) + len(value) + sumDigits + len(` {"key":"","value":}`) + 1
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(b []byte, c Change) []byte {
	// A string and JSON that was made by json.Marshal encode always.
	body, _ := json.Marshal(record(c))
	b = fmt.Appendf(b, "%0*x ", sumDigits, crc32.Checksum(body, castagnoli))
	return append(append(b, body...), '\n')
}

func decode(line []byte) (record, bool) {
	var r record
	if len(line) < sumDigits+2 || line[sumDigits] != ' ' || line[len(line)-1] != '\n' {
		return r, false
	}
	sum, err := strconv.ParseUint(string(line[:sumDigits]), 16, 32)
	body := line[sumDigits+1 : len(line)-1]
	if err != nil || uint32(sum) != crc32.Checksum(body, castagnoli) {
		return r, false
	}
	return r, json.Unmarshal(body, &r) == nil
}
