package volume

import (
	"os"
	"path/filepath"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
)

// TestHeld: whoever has the file system open is named, and nothing is taken down.
func TestHeld(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	converged(t, m, wanted(1))
	if err := Held(hostOf(m), "data"); err != nil {
		t.Fatalf("held by nobody: %v", err)
	}
	dir := filepath.Join(m.Proc(), "1234")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"comm": "vim\n", "cgroup": "0::/user.slice\n", "maps": "7f00-7f01 r--p 00000000 fd:00 12 /secret\n", "cmdline": "vim\x00/secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := m.String()
	refused := says(t, Held(hostOf(m), "data"), situation.Refused, "it is in use by vim (1234); not taken down.")
	if m.String() != before || refused.Next != "end them, or have them leave it, and then bootswain down data" {
		t.Errorf("%s\n%s", refused.Next, m)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte("0::/system.slice/mariadb.service\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Held(hostOf(m), "data"); err != nil {
		t.Errorf("held by a service: %v", err)
	}
}
