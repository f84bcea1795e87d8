// Package ui serves the web UI that is embedded in the binary. It knows no API:
// the page asks for its data over HTTP like any other client. Start with Handler.
//
// The page is built by Node into dist/. Go builds and tests without it: a binary
// that was built so serves one page which says how to get the real one.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

//go:embed placeholder.html
var placeholder string

// Handler serves the UI for every path that no API has taken. It answers GET and
// HEAD only.
func Handler() http.Handler {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: it is written above.
	}
	return newHandler(built)
}

// handler knows the ETag of every file, computed once: an embedded file has no
// modification time to compare. Contents stay in the binary, which the system
// pages in when somebody looks at the page.
type handler struct {
	built fs.FS
	etags map[string]string
	// index answers every path that is a view of the page; nil without a build.
	index *file
}

type file struct {
	name    string
	content []byte
	etag    string
}

func newHandler(built fs.FS) *handler {
	h := &handler{built: built, etags: make(map[string]string)}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		f := newFile(name, content)
		if name == "index.html" {
			h.index = &f
		} else {
			h.etags[name] = f.etag
		}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("read the embedded web UI: %v", err)) // Memory does not fail.
	}
	return h
}

func newFile(name string, content []byte) file {
	sum := sha256.Sum256(content)
	return file{name: name, content: content, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the web UI answers GET and HEAD only", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "index.html" {
		name = ""
	}
	if etag, ok := h.etags[name]; ok {
		content, err := fs.ReadFile(h.built, name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		serve(w, r, file{name: name, content: content, etag: etag})
		return
	}
	switch {
	case !isView(name):
		http.NotFound(w, r)
	case h.index != nil:
		serve(w, r, indexAt(*h.index, r.URL.Path))
	case name == "":
		serve(w, r, newFile("index.html", []byte(placeholder)))
	default:
		// The placeholder's links are relative, to work under any route prefix.
		http.Error(w, "this binary was built without the web UI; see /", http.StatusNotFound)
	}
}

// baseTag is what the build leaves for indexAt to fill.
const baseTag = `<base href="./" />`

// indexAt is the index for the address of a view. Its base element leads back to
// the root, so that the page's files and APIs are found under any route prefix:
// ../ for /dashboards/host. The handler need not know the prefix for that.
func indexAt(index file, urlPath string) file {
	depth := strings.Count(urlPath, "/") - 1
	if depth <= 0 {
		return index
	}
	base := fmt.Sprintf(`<base href="%s" />`, strings.Repeat("../", depth))
	return newFile(index.name, bytes.Replace(index.content, []byte(baseTag), []byte(base), 1))
}

// isView tells the addresses that the page shows in the browser's bar from
// misspelt API calls and files that are gone: these must not be answered by HTML.
func isView(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "api", "alertmanager", "assets", "-", "metrics", "federate", "debug":
		return false
	}
	return path.Ext(name) == ""
}

// contentPolicy lets the page load what the binary serves and nothing else. The
// components write style elements; scripts are files only.
const contentPolicy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; " +
	"form-action 'self'; frame-ancestors 'self'"

func serve(w http.ResponseWriter, r *http.Request, f file) {
	header := w.Header()
	header.Set("ETag", f.etag)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache")
	if header.Get("Content-Security-Policy") == "" { // The web config file may have set its own.
		header.Set("Content-Security-Policy", contentPolicy)
	}
	if strings.HasPrefix(f.name, "assets/") {
		// The build puts a hash of the content into the names of assets.
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if contentType := mime.TypeByExtension(path.Ext(f.name)); contentType != "" {
		header.Set("Content-Type", contentType)
	}
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.content))
}
