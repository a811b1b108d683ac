package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHostKeys(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ssh_host_ed25519_key.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl root@host\n",
		"ssh_host_rsa_key.pub":     "half writ",
		"ssh_host_ed25519_key":     "-----BEGIN OPENSSH PRIVATE KEY-----\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// As ssh-keygen -l shows it.
	want := []string{"SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU (ssh-ed25519)"}
	if got := hostKeys(dir); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSayLogin: the console says how to log in, and as whom else.
func TestSayLogin(t *testing.T) {
	for want, names := range map[string][]string{
		"":                    nil,
		"log in: ssh admin@A": {"admin"},
		"log in: ssh admin@A (or a, b, c, d and 2 more)": {"admin", "a", "b", "c", "d", "e", "f"},
	} {
		var out strings.Builder
		(&Agent{out: &out}).sayLogin(names)
		first, _, _ := strings.Cut(out.String(), "\n")
		if got := strings.Replace(first, "@"+address(), "@A", 1); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}
