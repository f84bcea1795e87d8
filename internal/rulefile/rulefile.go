// Package rulefile changes, adds or removes one alerting rule in a rule file of
// Prometheus, and leaves every other byte as it is: comments, order, quotes, line ends.
//
// It does not know which rules are evaluated, and reloads nothing: whoever saves
// does. Start with [Editor].
package rulefile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFileBytes bounds a rule file that is edited here.
const maxFileBytes = 8 << 20

// What the author of a request can do something about.
var (
	// ErrNotFound is for files that are no rule files, and rules that are not in them.
	ErrNotFound = errors.New("not found")
	// ErrInvalid is for edits that the loader of rules would refuse.
	ErrInvalid = errors.New("invalid rule")
	// ErrChanged is for edits of a text that is not in the file any more.
	ErrChanged = errors.New("the file has changed since it was read; load the rule again")
	// ErrByHand is for edits that would touch more than the rule, as with a YAML
	// anchor that other rules use.
	ErrByHand = errors.New("edit the file by hand")
	// ErrReadOnly is for files that may not be written.
	ErrReadOnly = errors.New("not written")
)

// Rule is an alerting rule as its file has it.
type Rule struct {
	Alert         string            `json:"alert" yaml:"alert"`
	Expr          string            `json:"expr" yaml:"expr"`
	For           string            `json:"for,omitempty" yaml:"for"`
	KeepFiringFor string            `json:"keep_firing_for,omitempty" yaml:"keep_firing_for"`
	Labels        map[string]string `json:"labels,omitempty" yaml:"labels"`
	Annotations   map[string]string `json:"annotations,omitempty" yaml:"annotations"`
}

// Place is where a rule stands.
type Place struct {
	File  string `json:"file"`
	Group string `json:"group"`
	Alert string `json:"alert"`
	// Nth tells rules of the same name in a group apart, from 0.
	Nth int `json:"nth,omitempty"`
}

// Edit is what becomes of a rule.
type Edit struct {
	Place
	// Hash is that of the text which the edit began with.
	Hash string `json:"hash"`
	// To is the rule as it shall be; nil removes it.
	To *Rule `json:"to"`
	// New puts the rule at the end of the group, which must be there; Alert and Nth
	// of its place say nothing then.
	New bool `json:"new,omitempty"`
}

// View is a rule in its file.
type View struct {
	Rule Rule `json:"rule"`
	// Hash of the file, SHA-256.
	Hash string `json:"hash"`
	Access
}

// Change is what an edit does to its file.
type Change struct {
	// Diff is in the unified form that patch(1) reads; empty if nothing changes.
	Diff string `json:"diff"`
	// Hash of the file: after the change if it was written.
	Hash string `json:"hash"`
	Access
}

// Access says whether a file may be written.
type Access struct {
	Writable bool   `json:"writable"`
	Reason   string `json:"reason,omitempty"` // Why not.
}

// Config is what an Editor needs of its surroundings. All functions may be
// called at any time.
type Config struct {
	// Patterns are the rule_files of the running configuration.
	Patterns func() []string
	// Allowed is whether the configuration lets files be written.
	Allowed func() bool
	// Check reports what a load of the file's text would refuse.
	Check func(text []byte) error
}

// Editor changes rules in the files that a configuration names.
type Editor struct {
	cfg Config
	// saving is held from the last look at a file until it is replaced.
	saving sync.Mutex
}

// New returns an editor.
func New(cfg Config) *Editor { return &Editor{cfg: cfg} }

// Rule returns a rule as its file has it now.
func (e *Editor) Rule(p Place) (View, error) {
	text, err := e.read(p.File)
	if err != nil {
		return View{}, err
	}
	_, found, err := locate(text, p)
	if err != nil {
		return View{}, err
	}
	return View{Rule: found.rule, Hash: hash(text), Access: e.access(p.File)}, nil
}

// Diff returns what an edit would change. That of a new rule may begin without a
// hash: nobody has read anything yet, and the change has the hash to save it with.
func (e *Editor) Diff(edit Edit) (Change, error) {
	if edit.New && edit.Hash == "" {
		text, err := e.read(edit.File)
		if err != nil {
			return Change{}, err
		}
		edit.Hash = hash(text)
	}
	change, _, err := e.prepare(edit)
	return change, err
}

// Save changes the file, whole or not at all. A file whose text is not the one
// of the edit's hash is not touched.
func (e *Editor) Save(edit Edit) (Change, error) {
	e.saving.Lock()
	defer e.saving.Unlock()
	change, text, err := e.prepare(edit)
	if err != nil {
		return Change{}, err
	}
	if !change.Writable {
		return Change{}, fmt.Errorf("%w: %s", ErrReadOnly, change.Reason)
	}
	if change.Diff == "" {
		return change, nil
	}
	if err := replace(edit.File, edit.Hash, text); err != nil {
		return Change{}, err
	}
	change.Hash = hash(text)
	return change, nil
}

func (e *Editor) prepare(edit Edit) (Change, []byte, error) {
	text, err := e.read(edit.File)
	if err != nil {
		return Change{}, nil, err
	}
	if hash(text) != edit.Hash {
		return Change{}, nil, fmt.Errorf("%q: %w", edit.File, ErrChanged)
	}
	if edit.New && (edit.To == nil || edit.To.Alert == "") {
		return Change{}, nil, fmt.Errorf("%w: a new rule needs a name", ErrInvalid)
	}
	splices, err := plan(text, edit)
	if err != nil {
		return Change{}, nil, fmt.Errorf("%q: %w", edit.File, err)
	}
	after := apply(text, splices)
	if err := verify(text, after, edit); err != nil {
		return Change{}, nil, fmt.Errorf("%q: %w", edit.File, err)
	}
	if err := e.cfg.Check(after); err != nil {
		return Change{}, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	change := Change{Diff: unified(filepath.Base(edit.File), text, splices), Hash: edit.Hash, Access: e.access(edit.File)}
	return change, after, nil
}

// read reads a file that is a rule file: no other file is for the page to see.
func (e *Editor) read(path string) ([]byte, error) {
	named := func(pattern string) bool {
		paths, err := filepath.Glob(pattern) // A bad pattern was refused when the configuration was read.
		return err == nil && slices.Contains(paths, path)
	}
	if !slices.ContainsFunc(e.cfg.Patterns(), named) {
		return nil, fmt.Errorf("rule file %q: %w among the rule_files of the configuration", path, ErrNotFound)
	}
	text, err := readBounded(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return text, err
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // It was only read.
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%q has more than %d MiB: %w", path, maxFileBytes>>20, ErrByHand)
	}
	return text, err
}

// access looks without a trace whether the file can be replaced.
func (e *Editor) access(path string) Access {
	if !e.cfg.Allowed() {
		return Access{Reason: "the configuration does not let the page write rule files; set rules.allow_file_edit to true"}
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Access{Reason: err.Error()}
	}
	for _, needed := range []string{path, filepath.Dir(path)} {
		if err := unix.Access(needed, unix.W_OK); err != nil {
			return Access{Reason: fmt.Sprintf("hedgewatch may not write %q: %v", needed, err)}
		}
	}
	return Access{Writable: true}
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// replace puts text in the place of a file, if the file still is the one with
// the hash. It keeps mode and, where it may, owner; a link stays one.
func replace(path, before string, text []byte) (err error) {
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	// No pattern for rule files matches the name of a half-written one.
	f, err := os.CreateTemp(filepath.Dir(path), ".hedgewatch-*.tmp")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	keepOwner(f, info)
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	if now, err := readBounded(path); err != nil || hash(now) != before {
		return errors.Join(err, ErrChanged)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename last. The file is complete without it: a failure is
// not one of the edit.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync() // Some file systems have no such thing.
	return d.Close()
}

// keepOwner matters where hedgewatch runs as root; others own what they write.
func keepOwner(f *os.File, info os.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(stat.Uid), int(stat.Gid))
	}
}
