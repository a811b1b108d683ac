package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/ebs"
	"bootswain/image"
	"bootswain/volume"
)

func TestImageCheckExitCodes(t *testing.T) {
	own, key := image.Finding{Path: image.IdentityPath, What: "own", Own: true}, image.Finding{Path: "/root/k", Line: 3, What: "private key"}
	for name, c := range map[string]struct {
		findings []image.Finding
		public   bool
		code     int
		want     string
	}{
		"clean":              {nil, false, ExitDone, "clean: 7 files\n"},
		"clean, for others":  {nil, true, ExitDone, "clean: 7 files\n"},
		"identity":           {[]image.Finding{own}, false, ExitDone, "only its own identity is in it"},
		"identity in public": {[]image.Finding{own}, true, ExitRefused, "REFUSED image: it holds its own identity"},
		"finding":            {[]image.Finding{own, key}, false, ExitFailed, "FAILED image: 1 finding in 7 files."},
		"both in public":     {[]image.Finding{own, key}, true, ExitRefused, "1 finding more"},
	} {
		var out strings.Builder
		err := verdict(image.Found{Findings: c.findings, Files: 7}, ImageCheckOptions{Public: c.public}, &out)
		if err != nil {
			out.WriteString(err.Error())
		}
		if ExitCode(err) != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want %d, %s", name, ExitCode(err), out.String(), c.code, c.want)
		}
	}
}

// TestNoImageOfAMachineAtWork refuses while a volume is mapped.
func TestNoImageOfAMachineAtWork(t *testing.T) {
	sys, root := t.TempDir(), t.TempDir()
	dm, history := filepath.Join(sys, "block/dm-0/dm"), filepath.Join(root, "history")
	err := errors.Join(os.MkdirAll(dm, 0o755), os.WriteFile(filepath.Join(dm, "name"), []byte("bootswain-data\n"), 0o644), os.WriteFile(history, []byte("x"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	a := &Agent{out: &out, run: answers{}, storage: &volume.Host{EBS: ebs.Host{Sys: sys}, Root: root}}
	err = a.PrepareImage(t.Context(), PrepareImageOptions{}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "REFUSED image: data up;") || ExitCode(err) != ExitRefused || out.Len() > 0 {
		t.Errorf("%v, and said %q", err, out.String())
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("something was changed: %v, %v", entries, err)
	}
}
