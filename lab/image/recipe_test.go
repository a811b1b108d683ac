package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestHashKeepsPartsApart(t *testing.T) {
	if hash("ab", "c") == hash("a", "bc") {
		t.Error("two recipes have one name")
	}
	if again := []string{"a", "b"}; hash(again...) != hash("a", "b") {
		t.Error("one recipe has two names")
	}
}

func TestRecipeHoldsEveryFile(t *testing.T) {
	r, err := Debian13.recipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"recipe/customize.sh", "recipe/files/etc/ssh/sshd_config.d/90-lab.conf", Debian13.suite} {
		if !slices.Contains(r.parts, want) {
			t.Errorf("%s is no part of the recipe, so a change of it would not be seen", want)
		}
	}
	changed := recipe{parts: slices.Clone(r.parts)}
	changed.parts[len(changed.parts)-1] += "#"
	if changed.key() == r.key() {
		t.Error("a changed file does not change the recipe's name")
	}
}

func TestDebianMirror(t *testing.T) {
	const targets = `Debian Backports|Debian Backports|main|http://mirror.example/backports/
Debian|Debian-Security|main|http://mirror.example/security/
$(ORIGIN)|$(LABEL)|main|http://unread.example/
Debian|Debian|contrib|http://mirror.example/contrib/
Debian|Debian|main|http://mirror.example/debian/
`
	if got := debianMirror([]byte(targets)); got != "http://mirror.example/debian/" {
		t.Errorf("got %q", got)
	}
	if got := debianMirror([]byte("Ubuntu|Ubuntu|main|http://mirror.example/ubuntu/\n")); got != "" {
		t.Errorf("an Ubuntu mirror was taken for Debian's: %q", got)
	}
}

func TestMmdebstrapNamesAMirrorOnlyIfKnown(t *testing.T) {
	if args := Debian13.mmdebstrap("/overlay", "/tree", ""); args[len(args)-1] != "/tree" {
		t.Errorf("got %q", args)
	}
	args := Debian13.mmdebstrap("/overlay", "/tree", "http://mirror.example/debian/")
	if got := strings.Join(args[len(args)-3:], " "); got != "trixie /tree http://mirror.example/debian/" {
		t.Errorf("got %q", got)
	}
}

func TestBootRecord(t *testing.T) {
	const sectors = 8192
	b := bootRecord(sectors)
	if len(b) != 512 || b[510] != 0x55 || b[511] != 0xaa {
		t.Fatal("no boot record")
	}
	if id := binary.LittleEndian.Uint32(b[440:]); !strings.Contains(kernelAppend, "PARTUUID=6c616200-01") || id != 0x6c616200 {
		t.Errorf("the kernel is told %q, the disk is %08x", kernelAppend, id)
	}
	start, count := binary.LittleEndian.Uint32(b[454:]), binary.LittleEndian.Uint32(b[458:])
	if b[450] != 0x83 || start != 2048 || start+count != sectors {
		t.Errorf("type %02x, sectors %d+%d", b[450], start, count)
	}
	if !bytes.Equal(b[462:510], make([]byte, 48)) {
		t.Error("more than one partition")
	}
}

func TestUnpackKernel(t *testing.T) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	kernel := append([]byte("\x7fELF"), bytes.Repeat([]byte("kernel"), 1000)...)
	frame := w.EncodeAll(kernel, nil)
	other := w.EncodeAll([]byte("not the kernel"), nil)
	image := slices.Concat([]byte("setup code"), zstdMagic, []byte("no frame"), other, frame, []byte("signature, and what else follows"))
	got, err := unpackKernel(image)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, kernel) {
		t.Errorf("got %d bytes, want %d", len(got), len(kernel))
	}
	if _, err := unpackKernel([]byte("no kernel at all")); !errors.Is(err, errNoKernel) {
		t.Errorf("got %v, want %v", err, errNoKernel)
	}
}
