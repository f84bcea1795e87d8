package app

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOnlyWhatIsAsOnDiskIsReleased(t *testing.T) {
	const smaps = `00400000-03292000 r-xp 00000000 fe:00 10 /usr/bin/hedgewatch
Rss:               35720 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
03292000-06935000 r--p 02e92000 fe:00 10 /usr/bin/hedgewatch
Anonymous:             4 kB
06935000-06aa0000 rw-p 06535000 fe:00 10 /usr/bin/hedgewatch
Anonymous:             0 kB
c000000000-c004000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 11 /usr/lib/libc.so.6
Anonymous:             0 kB
`
	got, err := cleanMappings(strings.NewReader(smaps), "/usr/bin/hedgewatch")
	if want := []mapping{{0x400000, 0x3292000}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
	if _, err := cleanMappings(strings.NewReader("nothing of that kind\n"), "x"); err == nil {
		t.Error("another format was taken for one of smaps")
	}
}

func TestTheProgramRunsOnWithoutItsPages(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer smaps.Close()
	if clean, err := cleanMappings(smaps, path); err != nil || len(clean) == 0 {
		t.Fatalf("the test binary has no mapping that is as on disk: %v", err)
	}
	if err := releaseProgram(); err != nil {
		t.Fatal(err)
	}
}
