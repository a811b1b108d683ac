package conformance

import (
	"os"
	"testing"
	"time"

	"bootswain/lab/image"
)

// TestSpeed compares bootswain with scripts of the bare tools (make
// bench-storage). It prints; it judges no time.
func TestSpeed(t *testing.T) {
	if os.Getenv("BOOTSWAIN_BENCH") == "" {
		t.Skip("make bench-storage runs it")
	}
	const size = 176 << 20
	pairs := func() []image.MicroDisk { return disks(t, size, size, size, size, size, size) }
	inGuest(t, image.MicroRun{
		Disks: pairs(), Counted: true, Timeout: time.Hour,
		Args: []string{"-test.run=^TestSpeed$", "-test.timeout=1h", "-speed=5"},
	})
	// At once means on two processors, and their clock cannot count instructions.
	inGuest(t, image.MicroRun{
		Disks: pairs(), Timeout: time.Hour,
		Args: []string{"-test.run=^TestSpeedThree$", "-test.timeout=1h", "-speed=5"},
	})
}

// TestSpeedFlags compares dm-crypt's flags: on one processor, whose clock counts
// instructions, and on two.
func TestSpeedFlags(t *testing.T) {
	if os.Getenv("BOOTSWAIN_BENCH") == "" {
		t.Skip("make bench-storage runs it")
	}
	for _, counted := range []bool{true, false} {
		inGuest(t, image.MicroRun{
			Disks:   []image.MicroDisk{{File: "null-co://,file.read-zeroes=on", Serial: "vol0a000011"}},
			Counted: counted, Timeout: time.Hour,
			Args: []string{"-test.run=^TestSpeedFlags$", "-test.timeout=1h", "-speed=5"},
		})
	}
}
