package e2e

import (
	"testing"
	"time"

	"bootswain/image"
)

// TestCleanImage checks a Debian that nobody put a secret into: whatever is found
// is a false alarm. The baked images are checked while they are baked.
func TestCleanImage(t *testing.T) {
	t.Parallel()
	began := time.Now()
	found, err := image.Check(t.Context(), baked.plain.Tree)
	if err != nil || len(found.Findings)+len(found.Partly) > 0 {
		t.Errorf("found %v, read in part %v, %v; want nothing", found.Findings, found.Partly, err)
	}
	if found.Files < 5000 {
		t.Errorf("only %d files were looked at", found.Files)
	}
	t.Logf("no false alarm in %d files, after %.1f s", found.Files, time.Since(began).Seconds())
}
