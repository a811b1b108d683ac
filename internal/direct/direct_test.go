package direct_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"bootswain/internal/direct"
)

func file(t *testing.T, content []byte) *direct.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := direct.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestReadAt(t *testing.T) {
	content := make([]byte, 3*direct.Align+512)
	random := rand.NewChaCha8([32]byte{})
	if _, err := random.Read(content); err != nil {
		t.Fatal(err)
	}
	f := file(t, content)
	for _, off := range []int64{0, 1, 511, 4095, 4096, 4097, 12288, 12799, 12800, 20000} {
		for _, n := range []int{0, 1, 512, 4096, 5000, 12800, 20000} {
			got, want := make([]byte, n), make([]byte, n)
			gotN, gotErr := f.ReadAt(got, off)
			wantN, wantErr := bytes.NewReader(content).ReadAt(want, off)
			if n == 0 {
				wantErr = nil
			}
			if gotN != wantN || !errors.Is(gotErr, wantErr) || !bytes.Equal(got, want) {
				t.Errorf("%d bytes from %d: %d, %v; want %d, %v", n, off, gotN, gotErr, wantN, wantErr)
			}
		}
	}
}

func TestReadAtAligned(t *testing.T) {
	content := bytes.Repeat([]byte("disk"), 5000) // 20000 bytes
	f := file(t, content)
	buf := direct.Buffer(2 * direct.Align)
	if n, err := f.ReadAt(buf, direct.Align); n != len(buf) || err != nil || !bytes.Equal(buf, content[4096:12288]) {
		t.Errorf("ReadAt() = %d, %v", n, err)
	}
	if n, err := f.ReadAt(buf, 4*direct.Align); n != 20000-16384 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt() over the end = %d, %v", n, err)
	}
}

func TestBuffer(t *testing.T) {
	for _, n := range []int{1, 4096, 4 << 20} {
		if b := direct.Buffer(n); len(b) != n || uintptr(unsafe.Pointer(&b[0]))%direct.Align != 0 {
			t.Errorf("Buffer(%d) has %d bytes at %p", n, len(b), b)
		}
	}
}

func TestOpenMissing(t *testing.T) {
	if _, err := direct.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open() = %v", err)
	}
}
