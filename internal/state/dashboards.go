package state

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxDashboards = 5000
	// maxVersions are kept of a dashboard and of a rule group.
	maxVersions = 50
	maxTitle    = 500
	maxTags     = 100
	maxMessage  = 1000
)

// Dashboard is one version of a dashboard. Its JSON is Grafana's classic format.
type Dashboard struct {
	UID       string    `json:"uid"`
	Title     string    `json:"title"`
	Folder    string    `json:"folder"`
	Tags      []string  `json:"tags"`
	Version   int       `json:"version"`
	Updated   time.Time `json:"updated,omitzero"`
	UpdatedBy string    `json:"updatedBy,omitempty"`
	Message   string    `json:"message,omitempty"`
	// Shipped tells that hedgewatch brought it and nobody has changed it; then
	// its version is 0.
	Shipped bool `json:"shipped"`
	// Edited tells that deleting it brings the shipped one back.
	Edited bool `json:"edited"`

	JSON json.RawMessage `json:"-"`
}

// shippedFolder is where shipped dashboards are listed.
const shippedFolder = "hedgewatch"

var dashboardUID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,40}$`) // As in Grafana.

// readShipped reads the dashboards that come with the binary.
func readShipped(files fs.FS) (map[string]Dashboard, error) {
	shipped := map[string]Dashboard{}
	if files == nil {
		return shipped, nil
	}
	paths, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range paths {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		d, doc, err := parseDashboard(text)
		if err != nil {
			return nil, fmt.Errorf("shipped dashboard %s: %w", name, err)
		}
		if d.UID == "" {
			d.UID = strings.TrimSuffix(path.Base(name), ".json")
		}
		doc.set("uid", d.UID)
		doc.set("version", 0)
		d.Folder, d.Shipped, d.JSON = shippedFolder, true, doc.text()
		if _, twice := shipped[d.UID]; twice {
			return nil, fmt.Errorf("shipped dashboard %s: another one has the UID %q", name, d.UID)
		}
		shipped[d.UID] = d
	}
	return shipped, nil
}

// parseDashboard reads what the JSON says of itself, its UID included.
func parseDashboard(text []byte) (Dashboard, *document, error) {
	doc, err := parseDocument(text)
	if err != nil {
		return Dashboard{}, nil, err
	}
	d, err := doc.describe()
	if err != nil {
		return Dashboard{}, nil, err
	}
	d.UID, err = decodeMember[string](doc, "uid", "text")
	return d, doc, err
}

// DashboardFilter chooses from the list; empty fields choose all.
type DashboardFilter struct {
	// Words must all be in the title or be tags, in any case.
	Words  []string
	Folder *string
	Tags   []string
}

func (f DashboardFilter) match(d Dashboard) bool {
	if f.Folder != nil && *f.Folder != d.Folder {
		return false
	}
	for _, tag := range f.Tags {
		if !slices.Contains(d.Tags, tag) {
			return false
		}
	}
	title := strings.ToLower(d.Title)
	for _, word := range f.Words {
		word = strings.ToLower(word)
		if !strings.Contains(title, word) && !slices.ContainsFunc(d.Tags, func(t string) bool { return strings.ToLower(t) == word }) {
			return false
		}
	}
	return true
}

// selectDashboards reads current versions; a condition may follow.
const selectDashboards = `SELECT d.uid, d.version, d.title, d.folder, d.tags, v.at, v.who, v.message, %s
	FROM dashboards d JOIN dashboard_versions v ON v.uid = d.uid AND v.version = d.version `

func (s *State) scanDashboard(scan func(...any) error) (Dashboard, error) {
	var d Dashboard
	var at int64
	var tags, text string
	if err := scan(&d.UID, &d.Version, &d.Title, &d.Folder, &tags, &at, &d.UpdatedBy, &d.Message, &text); err != nil {
		return d, err
	}
	_, d.Edited = s.shipped[d.UID]
	d.Updated, d.JSON = fromMillis(at), json.RawMessage(text)
	return d, json.Unmarshal([]byte(tags), &d.Tags)
}

// Dashboards returns those that match, by folder and title, without their JSON.
func (s *State) Dashboards(ctx context.Context, f DashboardFilter) ([]Dashboard, error) {
	all := maps.Clone(s.shipped)
	err := s.query(ctx, func(scan func(...any) error) error {
		d, err := s.scanDashboard(scan)
		all[d.UID] = d
		return err
	}, fmt.Sprintf(selectDashboards, "''"))
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(slices.Collect(maps.Values(all)), func(d Dashboard) bool { return !f.match(d) })
	slices.SortFunc(out, func(a, b Dashboard) int {
		return strings.Compare(a.Folder+"\x00"+strings.ToLower(a.Title)+"\x00"+a.UID, b.Folder+"\x00"+strings.ToLower(b.Title)+"\x00"+b.UID)
	})
	return out, nil
}

// Dashboard returns the current version.
func (s *State) Dashboard(ctx context.Context, uid string) (Dashboard, error) {
	return s.dashboard(ctx, s.reader, uid)
}

func (s *State) dashboard(ctx context.Context, db querier, uid string) (Dashboard, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	d, ok := s.shipped[uid]
	err := queryAll(ctx, db, func(scan func(...any) error) (err error) {
		d, err = s.scanDashboard(scan)
		ok = true
		return err
	}, fmt.Sprintf(selectDashboards, "v.json")+"WHERE d.uid = ?", uid)
	if err == nil && !ok {
		err = refuse(NotFound, "dashboard %q does not exist", uid)
	}
	return d, err
}

// DashboardSave is a new version.
type DashboardSave struct {
	UID     string // "": the one in the JSON, else a new one
	JSON    []byte
	Folder  string
	Message string
	Who     string
	// Base is the version that was edited; 0 for a new or a shipped dashboard.
	Base int
	// Overwrite saves whatever the current version is.
	Overwrite bool
}

// SaveDashboard writes a new version. It refuses to overwrite one that the
// author has not seen. Saving what is there already changes nothing.
func (s *State) SaveDashboard(ctx context.Context, save DashboardSave) (Dashboard, error) {
	d, doc, err := parseDashboard(save.JSON)
	if err != nil {
		return Dashboard{}, err
	}
	switch {
	case save.UID != "":
		d.UID = save.UID
	case d.UID == "":
		d.UID = newUID()
	}
	if !dashboardUID.MatchString(d.UID) {
		return Dashboard{}, refuse(Invalid, "dashboard UID %q: use 1 to 40 letters, digits, - and _", d.UID)
	}
	if d.Folder = strings.TrimSpace(save.Folder); len(d.Folder) > maxTitle {
		return Dashboard{}, refuse(Invalid, "folder name is longer than %d bytes", maxTitle)
	}
	if len(save.Message) > maxMessage {
		return Dashboard{}, refuse(Invalid, "message is longer than %d bytes", maxMessage)
	}
	d.UpdatedBy, d.Message = save.Who, save.Message
	d.Updated = time.Now().UTC().Truncate(time.Millisecond)
	_, d.Edited = s.shipped[d.UID]
	err = s.write(ctx, func(tx *sql.Tx) error {
		current, err := s.dashboard(ctx, tx, d.UID)
		var missing *Error
		if err != nil && !errors.As(err, &missing) {
			return err
		}
		if !save.Overwrite && current.Version != save.Base {
			return refuse(Conflict, "dashboard %q is at version %d now and the edit began with version %d; compare them, then save again", d.UID, current.Version, save.Base)
		}
		doc.set("id", nil)
		doc.set("uid", d.UID)
		doc.set("version", current.Version)
		if string(doc.text()) == string(current.JSON) && current.Folder == d.Folder {
			d = current
			return nil
		}
		d.Version = current.Version + 1
		doc.set("version", d.Version)
		d.JSON = doc.text()
		return writeDashboard(ctx, tx, d)
	})
	return d, err
}

func newUID() string { return strings.ToLower(rand.Text()[:14]) }

func writeDashboard(ctx context.Context, tx *sql.Tx, d Dashboard) error {
	tags, err := json.Marshal(d.Tags)
	if err != nil {
		return err
	}
	var count int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM dashboards WHERE uid <> ?", d.UID).Scan(&count); err != nil {
		return err
	}
	if count >= maxDashboards {
		return refuse(Invalid, "there are %d dashboards already; that is the most", count)
	}
	for _, step := range []struct {
		text string
		args []any
	}{
		{
			"INSERT INTO dashboards (uid, version, title, folder, tags) VALUES (?, ?, ?, ?, ?) " +
				"ON CONFLICT (uid) DO UPDATE SET version = excluded.version, title = excluded.title, folder = excluded.folder, tags = excluded.tags",
			[]any{d.UID, d.Version, d.Title, d.Folder, string(tags)},
		},
		{
			"INSERT INTO dashboard_versions (uid, version, at, who, message, json) VALUES (?, ?, ?, ?, ?, ?)",
			[]any{d.UID, d.Version, millis(d.Updated), d.UpdatedBy, d.Message, string(d.JSON)},
		},
		{"DELETE FROM dashboard_versions WHERE uid = ? AND version <= ?", []any{d.UID, d.Version - maxVersions}},
	} {
		if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// DeleteDashboard removes a dashboard and its versions. A shipped one cannot be
// deleted; deleting an edited one brings the shipped one back.
func (s *State) DeleteDashboard(ctx context.Context, uid string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM dashboards WHERE uid = ?", uid)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n > 0 || err != nil {
			return err
		}
		if _, shipped := s.shipped[uid]; shipped {
			return refuse(Conflict, "dashboard %q is part of hedgewatch and cannot be deleted", uid)
		}
		return refuse(NotFound, "dashboard %q does not exist", uid)
	})
}

// DashboardVersion is one entry of a dashboard's past.
type DashboardVersion struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Who     string    `json:"who"`
	Message string    `json:"message,omitempty"`
}

// DashboardVersions returns what is known of a dashboard's past, newest first.
// A shipped one has none.
func (s *State) DashboardVersions(ctx context.Context, uid string) ([]DashboardVersion, error) {
	if _, err := s.Dashboard(ctx, uid); err != nil {
		return nil, err
	}
	versions := []DashboardVersion{}
	err := s.query(ctx, func(scan func(...any) error) error {
		var v DashboardVersion
		var at int64
		if err := scan(&v.Version, &at, &v.Who, &v.Message); err != nil {
			return err
		}
		v.Time = fromMillis(at)
		versions = append(versions, v)
		return nil
	}, "SELECT version, at, who, message FROM dashboard_versions WHERE uid = ? ORDER BY version DESC", uid)
	return versions, err
}

// DashboardAt returns the JSON of a version; 0 is the shipped one.
func (s *State) DashboardAt(ctx context.Context, uid string, version int) (json.RawMessage, error) {
	if d, ok := s.shipped[uid]; ok && version == 0 {
		return d.JSON, nil
	}
	var text []byte
	err := s.query(ctx, func(scan func(...any) error) error { return scan(&text) },
		"SELECT json FROM dashboard_versions WHERE uid = ? AND version = ?", uid, version)
	if err == nil && text == nil {
		err = refuse(NotFound, "dashboard %q has no version %d, or it is too old to be kept", uid, version)
	}
	return text, err
}

// RestoreDashboard makes an old version the newest one.
func (s *State) RestoreDashboard(ctx context.Context, uid string, version, base int, who string) (Dashboard, error) {
	text, err := s.DashboardAt(ctx, uid, version)
	if err != nil {
		return Dashboard{}, err
	}
	current, err := s.Dashboard(ctx, uid)
	if err != nil {
		return Dashboard{}, err
	}
	return s.SaveDashboard(ctx, DashboardSave{
		UID: uid, JSON: text, Folder: current.Folder, Who: who, Base: base,
		Message: fmt.Sprintf("Restored version %d.", version),
	})
}
