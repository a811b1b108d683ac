package luks

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"bootswain/internal/corpus"
)

const fixtureUUID = "12345678-1234-8234-9234-123456789abc"

// fixture returns the first 32 KiB of a device that cryptsetup 2.6.1 formatted
// as Format asks it to, with a token imported: both copies of the header.
func fixture(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/header.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil || len(b) != 32<<10 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	return b
}

// sum makes the checksum of the copy at that place right again.
func sum(b []byte, at int) {
	c := b[at : at+minHeaderSize]
	clear(c[atChecksum : atChecksum+64])
	s := sha256.Sum256(c)
	copy(c[atChecksum:], s[:])
}

func TestReadHeader(t *testing.T) {
	valid := func(h *Header) [2]bool { return [2]bool{h.Copies[0].Valid, h.Copies[1].Valid} }
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		err    error
		valid  [2]bool
	}{
		"as cryptsetup writes it": {func(b []byte) []byte { return b }, nil, [2]bool{true, true}},
		"blank":                   {func(b []byte) []byte { clear(b); return b }, ErrNone, [2]bool{}},
		"empty":                   {func([]byte) []byte { return nil }, ErrNone, [2]bool{}},
		"first sector wiped":      {func(b []byte) []byte { clear(b[:512]); return b }, nil, [2]bool{false, true}},
		"torn primary":            {func(b []byte) []byte { clear(b[4096:8192]); return b }, nil, [2]bool{false, true}},
		"torn secondary":          {func(b []byte) []byte { b[16384+5000] ^= 1; return b }, nil, [2]bool{true, false}},
		"no secondary":            {func(b []byte) []byte { clear(b[16384:]); return b }, nil, [2]bool{true, false}},
		"cut off":                 {func(b []byte) []byte { return b[:16384] }, nil, [2]bool{true, false}},
		"both torn":               {func(b []byte) []byte { clear(b[4096:16384]); clear(b[20480:]); return b }, ErrDamaged, [2]bool{}},
		"primary torn, no second": {func(b []byte) []byte { clear(b[4096:]); return b }, ErrDamaged, [2]bool{}},
		"JSON damaged": {func(b []byte) []byte {
			b[4096], b[20480] = '[', '['
			sum(b, 0)
			sum(b, 16384)
			return b
		}, ErrDamaged, [2]bool{}},
		"version 3":                     {func(b []byte) []byte { b[7], b[16384+7] = 3, 3; return b }, ErrNewer, [2]bool{}},
		"version 3, and a whole second": {func(b []byte) []byte { b[7] = 3; return b }, nil, [2]bool{false, true}},
		"wrong size": {func(b []byte) []byte {
			binary.BigEndian.PutUint64(b[atSize:], 1<<60)
			return b
		}, nil, [2]bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "disk")
			if err := os.WriteFile(path, c.change(fixture(t)), 0o600); err != nil {
				t.Fatal(err)
			}
			h, err := ReadHeader(path)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if valid(h) != c.valid {
				t.Errorf("valid copies %v, want %v", valid(h), c.valid)
			}
			if h.Version != 2 || h.UUID != fixtureUUID || h.Label != "data" || h.Subsystem != Subsystem ||
				h.Cipher != "aes-xts-plain64" || h.DataOffset != dataOffset || h.SectorSize != 512 || h.Keyslots != 1 {
				t.Errorf("read as %+v", h)
			}
			want := &Token{
				Set: "data", Members: 2, Volumes: []string{"vol-0a11", "vol-0a22"}, Intent: Preparing, Sealed: []byte("sealed"),
				Purpose: Purpose{"/srv/data", "xfs", []string{"noatime"}, true},
			}
			if got, err := h.Token(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("token %+v, %v", got, err)
			}
		})
	}
}

func TestReadHeaderMissingDevice(t *testing.T) {
	if _, err := ReadHeader(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing device answers %v", err)
	}
}

func TestLUKS1IsNamed(t *testing.T) {
	b := make([]byte, 4096)
	copy(b, primaryMagic)
	b[7] = 1
	copy(b[atUUID:], fixtureUUID)
	h, err := Read(bytes.NewReader(b))
	if err != nil || h.Version != 1 || h.UUID != fixtureUUID {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestNewerCopyWins covers a crash between the writes of the two copies.
func TestNewerCopyWins(t *testing.T) {
	for name, at := range map[string]int{"primary": 0, "secondary": 16384} {
		t.Run(name, func(t *testing.T) {
			b := fixture(t)
			b[at+atSequence+7] += 1
			copy(b[at+atLabel:], "newer\x00")
			sum(b, at)
			h, err := Read(bytes.NewReader(b))
			if err != nil || h.Label != "newer" {
				t.Errorf("read %+v, %v", h, err)
			}
		})
	}
}

// TestReadyWins: a token that says ready in either copy holds, whichever copy
// has the higher sequence number.
func TestReadyWins(t *testing.T) {
	for name, at := range map[string]int{"primary": 0, "secondary": 16384} {
		t.Run(name, func(t *testing.T) {
			b := fixture(t)
			i := bytes.Index(b[at:], []byte(`"preparing"`)) + at
			copy(b[i:], `"ready"    `)
			sum(b, at)
			h, err := Read(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if tok, err := h.Token(); err != nil || tok.Intent != Ready {
				t.Errorf("token %+v, %v", tok, err)
			}
		})
	}
}

func TestRequirementsAreRead(t *testing.T) {
	h := &Header{area: []byte(`{"config":{"requirements":{"mandatory":["online-reencrypt"]}}}`)}
	if err := h.metadata(); err != nil || strings.Join(h.Requirements, ",") != "online-reencrypt" {
		t.Errorf("%+v, %v", h.Requirements, err)
	}
}

// beginning is where the headers of a device of the corpus stand.
func beginning(t testing.TB, name string) []byte {
	t.Helper()
	d, err := corpus.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	b := make(memory, 32<<10)
	if err := d.WriteTo(b); err != nil {
		t.Fatal(err)
	}
	return b
}

type memory []byte

func (m memory) WriteAt(b []byte, at int64) (int, error) { return copy(m[at:], b), nil }

// TestNewerAndReencrypting reads what cryptsetup wrote.
func TestNewerAndReencrypting(t *testing.T) {
	h, err := Read(bytes.NewReader(beginning(t, "ours-reencrypting")))
	if err != nil || strings.Join(h.Requirements, " ") != "online-reencrypt-v2" || h.Damaged() != "" {
		t.Errorf("half re-encrypted: %+v, %v", h, err)
	}
	if tok, err := h.Token(); err != nil || tok.Intent != Ready {
		t.Errorf("its token: %+v, %v", tok, err)
	}
	h, err = Read(bytes.NewReader(beginning(t, "ours-token-newer")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Token(); !errors.As(err, new(*NewerError)) {
		t.Errorf("a newer token: %v", err)
	}
	torn := beginning(t, "luks2")
	clear(torn[:4096])
	if h, err := Read(bytes.NewReader(torn)); err != nil || h.Damaged() != "first" {
		t.Errorf("without the first copy: %+v, %v", h, err)
	}
}

// TestSecondOfVersion1: LUKS1 has one copy, so what says that it is another one's
// second is damaged.
func TestSecondOfVersion1(t *testing.T) {
	b := bytes.Clone(fixture(t))
	b[16384+7] = 1 // the lower byte of the version
	sum(b, 16384)
	h, err := Read(bytes.NewReader(b))
	if err != nil || h.Damaged() != "second" {
		t.Fatalf("%+v, %v", h, err)
	}
	if _, err := h.Token(); err != nil {
		t.Error(err)
	}
}

func FuzzReadHeader(f *testing.F) {
	b := fixture(f)
	f.Add(b)
	f.Add(b[:20000])
	f.Add(append(make([]byte, 16384), b[16384:]...))
	for _, name := range []string{"luks1", "luks2", "luks-newer", "ours-token-newer", "ours-reencrypting"} {
		f.Add(beginning(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 32<<10 { // let changes behind the checksums through
			for _, at := range []int{0, 16384} {
				sum(b, at)
			}
		}
		h, err := Read(bytes.NewReader(b))
		if (h == nil) == (err == nil) {
			t.Fatalf("header %v and error %v", h, err)
		}
		if h != nil {
			_, _ = h.Token()
		}
	})
}
