package archive

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// row is the bar of a minute of 2023-03-24.
const (
	rowMs = "1679616000000,10,12,9,11,5,1679616059999,50,3,2,20,0\n"
	rowUs = "1679616000000000,10,12,9,11,5,1679616059999999,50,3,2,20,0\n"
	rowS  = "1679616000,10,12,9,11,5,1679616059,50,3,2,20,0\n"
)

func TestReadKlines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
		wantErr    string
	}{
		{"binance, ms", rowMs, 1, ""},
		{"binance, µs", rowUs, 1, ""},
		{"seconds", rowS, 1, ""},
		{"binance with a header", "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n" + rowMs, 1, ""},
		{"an export", "\"symbol\",\"Open Time\",open,high,low,close,volume\nBTCUSDT,1679616000000,10,12,9,11,5\n", 1, ""},
		{"CRLF, empty lines, no end", strings.ReplaceAll(rowMs+"\n", "\n", "\r\n") + strings.TrimSpace(rowMs), 2, ""},
		{"empty", "", 0, ""},
		{"a header that lacks the close", "open_time,open,high,low,volume\n", 0, "line 1: the header has no column close"},
		{"text for a price", strings.Replace(rowMs, "12", "much", 1), 0, `line 1: column 3: "much": not a number`},
		{"an empty price", strings.Replace(rowMs, ",12,", ",,", 1), 0, `line 1: column 3: "": not a number`},
		{"half a row", rowMs + "1679616060000,10,12", 1, "line 2: has 3 columns instead of 12"},
		{"a date for a time", "2023-03-24" + rowMs[13:], 0, `line 1: column 1: "2023-03-24": not a whole number`},
		{"a time of 1970", "1679616" + rowMs[13:], 0, "line 1: column 1: \"1679616\": 1679616 is not a time of this century in s, ms, µs or ns"},
		{"no lines", strings.Repeat("1", maxLineBytes+1), 0, "line 1: longer than 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := 0
			err := readKlines(strings.NewReader(tt.text), func(k *audit.Kline, _ bool) {
				got++
				if want := int64(1679616000_000000); k.OpenTime != want {
					t.Errorf("got open time %d, want %d", k.OpenTime, want)
				}
				if k.High.String() != "12" || k.Volume.String() != "5" {
					t.Errorf("got high %s and volume %s, want 12 and 5", k.High, k.Volume)
				}
			})
			if msg := text(err); msg != tt.wantErr || got != tt.want {
				t.Errorf("got %d rows, error %q; want %d, %q", got, msg, tt.want, tt.wantErr)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	switch filepath.Ext(name) {
	case ".gz":
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(content)) // To memory.
		_ = w.Close()
	case ".zip":
		w := zip.NewWriter(&b)
		entry, err := w.Create(strings.TrimSuffix(name, "zip") + "csv")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = entry.Write([]byte(content))
		_ = w.Close()
	default:
		b.WriteString(content)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesOfEveryKindAreRead(t *testing.T) {
	for _, name := range []string{"BTCUSDT-1m-2023-03-24.csv", "BTCUSDT-1m-2023-03.csv.gz", "BTCUSDT-1m-2023-03-24.zip", "BTCUSDT-1m.csv"} {
		files, err := List(write(t, t.TempDir(), name, rowMs))
		if err != nil || len(files) != 1 {
			t.Fatalf("List(%s) = %v, %v", name, files, err)
		}
		rows := 0
		if err := files[0].Klines(func(*audit.Kline, bool) { rows++ }); err != nil || rows != 1 {
			t.Errorf("%s: got %d rows, error %v", name, rows, err)
		}
	}
}

func TestListSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "notes.txt", "")
	for path, want := range map[string]string{
		"/nonexistent/files":            "no such file or directory",
		dir:                             "holds no file like BTCUSDT-1m-2023-03-24.zip",
		filepath.Join(dir, "notes.txt"): "the name does not say what is in it",
		write(t, dir, "BTCUSDT-7m-2023-03-24.csv", ""): `interval "7m": use one of`,
		write(t, dir, "BTCUSDT-1m-2023-13.csv", ""):    "month out of range",
	} {
		if _, err := List(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("List(%s): got error %v, want %q", path, err, want)
		}
	}
}

// What cannot be read is unknown, and the others are checked all the same.
func TestAuditGoesOnAfterAFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "BTCUSDT-1m-2023-03-24.csv", rowMs+"broken\n")
	write(t, dir, "ETHUSDT-1m-2023-03-24.csv", rowMs+"1679616120000,10,12,9,11,5,1679616179999,50,3,2,20,0\n")
	files, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	report := Audit(t.Context(), files, Options{From: time.Date(2023, 3, 24, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 3, 24, 0, 3, 0, 0, time.UTC)})
	var got []string
	for _, f := range report.Findings {
		got = append(got, strings.Join([]string{f.Series.Symbol, string(f.Kind), string(f.Cause), f.From.Format("15:04"), f.To.Format("15:04")}, " "))
	}
	want := []string{"BTCUSDT unchecked unknown 00:01 00:03", "ETHUSDT missing platform 00:01 00:02"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

func TestAuditThatIsInterruptedSaysSo(t *testing.T) {
	files, err := List("testdata")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := Audit(ctx, files, Options{})
	if len(report.Findings) != len(files) {
		t.Fatalf("got %v, want a finding for each of %d files", report.Findings, len(files))
	}
	for _, f := range report.Findings {
		if f.Kind != audit.Unchecked || f.Cause != audit.Unknown {
			t.Errorf("got %v, want unchecked", f)
		}
	}
}

func TestFileThatBreaksOffIsTheArchives(t *testing.T) {
	dir := t.TempDir()
	day := rows(t, "testdata/BTCUSDT-1m-2023-03-24.zip")
	write(t, dir, "BTCUSDT-1m-2023-03-24.csv", strings.Join(day[:230], "\n"))
	files, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	report := Audit(t.Context(), files, Options{})
	if len(report.Findings) != 1 || report.Findings[0].Cause != audit.Archive || report.Findings[0].Count != 1440-230 {
		t.Errorf("got %v, want 1210 rows missing by the archive", report.Findings)
	}
}

func FuzzReadKlines(f *testing.F) {
	f.Add([]byte(rowMs))
	f.Add([]byte("open_time,open,high,low,close,volume\n1679616000,1,1,1,1,1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := audit.NewKlineCheck(audit.Series{Dataset: "klines", Symbol: "BTCUSDT", Interval: "1m"})
		if err != nil {
			t.Fatal(err)
		}
		_ = readKlines(bytes.NewReader(text), func(k *audit.Kline, wrongUnit bool) { c.Add(k, wrongUnit) }) // Any text may be wrong.
		audit.Attribute([]audit.Result{c.Result(time.Time{}, time.Time{})})
	})
}
