package conformance

import (
	"os"
	"testing"
	"time"

	"bootswain/lab/image"
)

// TestCorpus puts what others have put on devices on real disks, and has the
// real wipefs, mdadm and cryptsetup look at them. The sizes are those of the
// corpus: two for most, one for md's superblocks, one for that of md 0.90, which
// also carries a whole volume, and one that is too small for anything.
func TestCorpus(t *testing.T) {
	run := "^TestCorpus$"
	if filter := os.Getenv("BOOTSWAIN_E2E_CASE"); filter != "" {
		run += "/" + filter
	}
	inGuest(t, image.MicroRun{
		Disks: disks(t, 64<<20, 64<<20, 32<<20, 400<<20, 16<<20), Timeout: 12 * time.Minute,
		Args: []string{"-test.run=" + run, "-test.v", "-real"},
	})
}
