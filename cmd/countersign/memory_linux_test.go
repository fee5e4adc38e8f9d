package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOnlyPagesOfTheFileAreGivenBack(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-01400000 r-xp 00000000 fe:00 17                               /usr/bin/countersign
Size:              16384 kB
Rss:               12988 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
01400000-02600000 r--p 01000000 fe:00 17                               /usr/bin/countersign
Anonymous:             0 kB
02600000-02700000 r--p 02200000 fe:00 17                               /usr/bin/countersign
Anonymous:            12 kB
02700000-02800000 rw-p 02300000 fe:00 17                               /usr/bin/countersign
Anonymous:             0 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000010000 r-xp 00000000 fe:00 18                       /usr/bin/other
Anonymous:             0 kB
7f0000020000-7f0000030000 r-xp 00000000 fe:00 18                       /usr/bin/countersign (deleted)
Anonymous:             0 kB
7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                        [vdso]
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x1400000}, {0x1400000, 0x2600000}}
	if got := fileMappings(smaps, "/usr/bin/countersign"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// TestGiveBack is about this very process: it gets smaller, and lives on.
func TestGiveBack(t *testing.T) {
	before := residentFile(t)
	if err := giveBack(); err != nil {
		t.Fatal(err)
	}
	after := residentFile(t)
	if before < 1024 || after >= before {
		t.Errorf("pages of files: %d kB before, %d kB after", before, after)
	}
}

func residentFile(t *testing.T) (kB int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "RssFile:"); ok {
			if _, err := fmt.Sscanf(value, "%d kB", &kB); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kB
}
