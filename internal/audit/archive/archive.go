// Package archive reads klines from files as data.binance.vision publishes them,
// and as platforms export them: CSV with and without a header, plain, in a zip
// or gzipped, times in any unit.
//
// Start with [List] and [File.Klines].
package archive

import (
	"archive/zip"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// maxLineBytes bounds a line; a kline takes some 150 bytes.
const maxLineBytes = 64 << 10

// File is one file of one series.
type File struct {
	Path     string
	Symbol   string
	Interval audit.Interval
	// From and To are the time that the name promises; zero where it promises
	// none.
	From, To time.Time
}

// name matches BTCUSDT-1m-2023-03-24.zip and BTCUSDT-1m-2023-03.csv.gz.
var name = regexp.MustCompile(`^([A-Z0-9_]+)-(\d+[smhdwM]o?)(?:-(\d{4})-(\d{2})(?:-(\d{2}))?)?\.(?:csv|csv\.gz|zip)$`)

// List returns the kline files that the paths name, in the order of their series
// and time: files, directories and what is below them, and patterns.
func List(paths ...string) ([]File, error) {
	var files []File
	var errs []error
	for _, path := range paths {
		matches, err := filepath.Glob(path)
		if err != nil || len(matches) == 0 {
			errs = append(errs, fmt.Errorf("%s: no such file or directory", path))
			continue
		}
		for _, match := range matches {
			found, err := list(match)
			if err != nil {
				errs = append(errs, err)
			}
			files = append(files, found...)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.key(), b.key()) })
	return files, errors.Join(errs...)
}

func list(path string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(path, func(at string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f, err := parseName(at)
		if err == nil {
			files = append(files, f)
		} else if at == path { // Others may lie beside the ones that are meant.
			return err
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: holds no file like BTCUSDT-1m-2023-03-24.zip", path)
	}
	return files, err
}

func (f File) key() string {
	return f.Symbol + "\x00" + string(f.Interval) + "\x00" + f.From.Format(time.RFC3339) + f.Path
}

func parseName(path string) (File, error) {
	m := name.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return File{}, fmt.Errorf("%s: the name does not say what is in it; call it SYMBOL-INTERVAL[-YYYY-MM[-DD]].csv, .csv.gz or .zip", path)
	}
	interval := strings.Replace(m[2], "mo", "M", 1) // The archive writes 1M as 1mo.
	f := File{Path: path, Symbol: m[1], Interval: audit.Interval(interval)}
	if err := f.Interval.Validate(); err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	if m[3] == "" {
		return f, nil
	}
	months, days := 1, 0
	dayOfMonth := "01"
	if m[5] != "" {
		months, days, dayOfMonth = 0, 1, m[5]
	}
	from, err := time.Parse(time.DateOnly, m[3]+"-"+m[4]+"-"+dayOfMonth)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	f.From, f.To = from, from.AddDate(0, months, days)
	return f, nil
}

// Klines calls each for every row, in the order of the file. The kline is valid
// during the call. An error names file and line.
func (f File) Klines(each func(k *audit.Kline, wrongUnit bool)) error {
	file, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := unpack(file)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if err := readKlines(content, each); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return content.Close()
}

// unpack returns the text in a file, by what the name says it is packed in.
func unpack(file *os.File) (io.ReadCloser, error) {
	switch filepath.Ext(file.Name()) {
	case ".gz":
		return gzip.NewReader(bufio.NewReaderSize(file, 1<<16))
	case ".zip":
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		packed, err := zip.NewReader(file, info.Size())
		if err != nil {
			return nil, err
		}
		for _, entry := range packed.File {
			if strings.HasSuffix(entry.Name, ".csv") {
				return entry.Open()
			}
		}
		return nil, errors.New("the zip holds no .csv")
	}
	return io.NopCloser(file), nil
}

// readKlines reads rows of the layout that the header names, or of Binance's.
func readKlines(r io.Reader, each func(k *audit.Kline, wrongUnit bool)) error {
	lines := bufio.NewReaderSize(r, maxLineBytes)
	p := newParser(binanceLayout())
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = fmt.Errorf("longer than %d bytes", maxLineBytes)
			}
			return fmt.Errorf("line %d: %w", n, err)
		}
		for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
			line = line[:len(line)-1]
		}
		if len(line) == 0 {
			continue
		}
		if n == 1 && (line[0] < '0' || line[0] > '9') {
			layout, err := headerLayout(line)
			if err != nil {
				return fmt.Errorf("line 1: %w", err)
			}
			p = newParser(layout)
			continue
		}
		wrongUnit, err := p.parse(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		each(&p.kline, wrongUnit)
	}
}
