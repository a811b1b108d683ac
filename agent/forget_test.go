package agent

import (
	"slices"
	"strings"
	"testing"
)

func TestUntouched(t *testing.T) {
	const smaps = `00400000-00b3c000 r-xp 00000000 103:01 1050 /usr/bin/bootswain
Size:               7408 kB
Rss:                3120 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
VmFlags: rd ex mr mw me
00b3c000-01590000 r--p 0073c000 103:01 1050 /usr/bin/bootswain
Anonymous:             0 kB
01590000-01600000 r--p 01190000 103:01 1050 /usr/bin/bootswain
Anonymous:            12 kB
01600000-01650000 rw-p 01200000 103:01 1050 /usr/bin/bootswain
Anonymous:             0 kB
7f0000000000-7f0000400000 r-xp 00000000 103:01 1051 /usr/lib/libc.so.6
Anonymous:             0 kB
7ffc1b5f0000-7ffc1b611000 rw-p 00000000 00:00 0 [stack]
Anonymous:            16 kB
`
	want := []span{{0x400000, 0xb3c000}, {0xb3c000, 0x1590000}}
	if got := untouched(strings.NewReader(smaps), "/usr/bin/bootswain"); !slices.Equal(got, want) {
		t.Errorf("untouched are %x, want %x", got, want)
	}
	if err := forget(); err != nil { // of this very program, which goes on
		t.Error(err)
	}
}
