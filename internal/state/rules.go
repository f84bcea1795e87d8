package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	maxRuleGroups     = 1000
	maxGroupName      = 80
	maxRuleGroupBytes = 1 << 20
	ruleSuffix        = ".yml"
)

// RuleGroup is one version of a rule group that was made in the UI. Its YAML is
// a rule file of Prometheus with this one group.
//
// The current version of each group is also a plain file in [State.RuleDir]:
// that is what is evaluated, so that alerting does not depend on the database.
type RuleGroup struct {
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Updated   time.Time `json:"updated"`
	UpdatedBy string    `json:"updatedBy"`
	Message   string    `json:"message,omitempty"`
	YAML      string    `json:"yaml,omitempty"`
}

// RuleDir is the directory with the rule files, *.yml.
func (s *State) RuleDir() string { return filepath.Join(s.dir, "rules") }

func (s *State) ruleFile(name string) string {
	return filepath.Join(s.RuleDir(), url.PathEscape(name)+ruleSuffix)
}

const selectRuleGroups = `SELECT g.name, v.version, v.at, v.who, v.message, v.yaml
	FROM rule_groups g JOIN rule_group_versions v ON v.name = g.name `

func scanRuleGroups(ctx context.Context, db querier, question string, args ...any) ([]RuleGroup, error) {
	groups := []RuleGroup{}
	err := queryAll(ctx, db, func(scan func(...any) error) error {
		var g RuleGroup
		var at int64
		err := scan(&g.Name, &g.Version, &at, &g.UpdatedBy, &g.Message, &g.YAML)
		g.Updated = fromMillis(at)
		groups = append(groups, g)
		return err
	}, question, args...)
	return groups, err
}

// RuleGroups returns the current version of all groups, by name.
func (s *State) RuleGroups(ctx context.Context) ([]RuleGroup, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return scanRuleGroups(ctx, s.reader, selectRuleGroups+"WHERE v.version = g.version ORDER BY g.name")
}

// RuleGroup returns a version of a group; 0 is the current one.
func (s *State) RuleGroup(ctx context.Context, name string, version int) (RuleGroup, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	groups, err := scanRuleGroups(ctx, s.reader, selectRuleGroups+"WHERE g.name = ? AND v.version = iif(? = 0, g.version, ?)", name, version, version)
	switch {
	case err != nil:
		return RuleGroup{}, err
	case len(groups) == 1:
		return groups[0], nil
	case version == 0:
		return RuleGroup{}, refuse(NotFound, "rule group %q was not made here", name)
	}
	return RuleGroup{}, refuse(NotFound, "rule group %q has no version %d, or it is too old to be kept", name, version)
}

// RuleGroupVersions returns what is kept of a group's past, newest first.
func (s *State) RuleGroupVersions(ctx context.Context, name string) ([]RuleGroup, error) {
	if _, err := s.RuleGroup(ctx, name, 0); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return scanRuleGroups(ctx, s.reader, selectRuleGroups+"WHERE g.name = ? ORDER BY v.version DESC", name)
}

// RuleGroupSave is a new version.
type RuleGroupSave struct {
	Name, YAML, Message, Who string
	// Base is the version that was edited; 0 for a new group.
	Base int
}

// SaveRuleGroup writes a new version, which the caller has validated as the
// rule loader does. It takes effect when rules are loaded again.
func (s *State) SaveRuleGroup(ctx context.Context, save RuleGroupSave) (RuleGroup, error) {
	if err := save.validate(); err != nil {
		return RuleGroup{}, err
	}
	g := RuleGroup{
		Name: save.Name, YAML: save.YAML, Message: save.Message, UpdatedBy: save.Who,
		Updated: time.Now().UTC().Truncate(time.Millisecond),
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		current, err := currentRuleVersion(ctx, tx, g.Name)
		if err != nil {
			return err
		}
		if current != save.Base {
			return refuse(Conflict, "rule group %q is at version %d now and the edit began with version %d; compare them, then save again", g.Name, current, save.Base)
		}
		g.Version = current + 1
		if err := writeRuleGroup(ctx, tx, g); err != nil {
			return err
		}
		// Last, so that the table never has what the file has not.
		return writeWhole(s.ruleFile(g.Name), g.YAML)
	})
	return g, err
}

func (r RuleGroupSave) validate() error {
	switch {
	case len(r.YAML) > maxRuleGroupBytes:
		return refuse(TooLarge, "rule group is larger than %d MiB", maxRuleGroupBytes>>20)
	case r.Name == "" || len(r.Name) > maxGroupName:
		return refuse(Invalid, "rule group name %q: use 1 to %d bytes", r.Name, maxGroupName)
	case len(r.Message) > maxMessage:
		return refuse(Invalid, "message is longer than %d bytes", maxMessage)
	}
	names, err := groupNames(r.YAML)
	if err != nil {
		return refuse(Invalid, "rule group: %v", err)
	}
	if !slices.Equal(names, []string{r.Name}) {
		return refuse(Invalid, "rule group: the text must have one group, called %q; it has %q", r.Name, names)
	}
	return nil
}

func groupNames(text string) (names []string, err error) {
	var file struct {
		Groups []struct{ Name string }
	}
	err = yaml.Unmarshal([]byte(text), &file)
	for _, g := range file.Groups {
		names = append(names, g.Name)
	}
	return names, err
}

func currentRuleVersion(ctx context.Context, tx *sql.Tx, name string) (version int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT version FROM rule_groups WHERE name = ?", name).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return version, err
}

func writeRuleGroup(ctx context.Context, tx *sql.Tx, g RuleGroup) error {
	var count int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM rule_groups WHERE name <> ?", g.Name).Scan(&count); err != nil {
		return err
	}
	if count >= maxRuleGroups {
		return refuse(Invalid, "there are %d rule groups already; that is the most", count)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO rule_groups (name, version) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version", g.Name, g.Version); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO rule_group_versions (name, version, at, who, message, yaml) VALUES (?, ?, ?, ?, ?, ?)",
		g.Name, g.Version, millis(g.Updated), g.UpdatedBy, g.Message, g.YAML); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM rule_group_versions WHERE name = ? AND version <= ?", g.Name, g.Version-maxVersions)
	return err
}

// DeleteRuleGroup removes a group, its versions and its file.
func (s *State) DeleteRuleGroup(ctx context.Context, name string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM rule_groups WHERE name = ?", name)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n == 0 || err != nil {
			return errors.Join(err, refuse(NotFound, "rule group %q was not made here", name))
		}
		if err := os.Remove(s.ruleFile(name)); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

// adoptRules makes files and tables agree at the start. The tables win; a file
// that they do not know, as after the loss of the database, is taken over.
func (s *State) adoptRules(ctx context.Context) error {
	if err := os.MkdirAll(s.RuleDir(), 0o777); err != nil {
		return err
	}
	groups, err := s.RuleGroups(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, g := range groups {
		known[s.ruleFile(g.Name)] = true
		if text, err := os.ReadFile(s.ruleFile(g.Name)); err == nil && string(text) == g.YAML {
			continue
		}
		if err := writeWhole(s.ruleFile(g.Name), g.YAML); err != nil {
			return err
		}
	}
	paths, err := filepath.Glob(filepath.Join(s.RuleDir(), "*"+ruleSuffix))
	for _, path := range paths {
		if !known[path] {
			err = errors.Join(err, s.adoptRuleFile(ctx, path))
		}
	}
	return err
}

func (s *State) adoptRuleFile(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := url.PathUnescape(strings.TrimSuffix(filepath.Base(path), ruleSuffix))
	if err != nil {
		return fmt.Errorf("rule file %q: %w", path, err)
	}
	_, err = s.SaveRuleGroup(ctx, RuleGroupSave{Name: name, YAML: string(text), Message: "Found on disk."})
	if err != nil {
		return fmt.Errorf("rule file %q: %w", path, err)
	}
	s.logger.Info("Rule group taken over from its file", "file", path)
	return nil
}

// writeWhole replaces a file, whole or not at all.
func writeWhole(path, content string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
