package image

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// zstdMagic begins a zstd frame (RFC 8878, 3.1.1).
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// extractKernel writes the ELF kernel that a bzImage carries to path. Under
// emulation the guest takes seconds to unpack its own kernel, the host a
// fraction of one.
func extractKernel(bzImage, path string) error {
	b, err := os.ReadFile(bzImage)
	if err != nil {
		return err
	}
	elf, err := unpackKernel(b)
	if err != nil {
		return fmt.Errorf("cannot unpack the kernel %s: %w", bzImage, err)
	}
	return os.WriteFile(path, elf, 0o644)
}

// unpackKernel finds the compressed kernel by its magic: the boot protocol's
// payload_offset would do, too, but the real-mode code's size must then be
// known. What follows the frame is no part of it.
func unpackKernel(bzImage []byte) ([]byte, error) {
	for rest := bzImage; ; rest = rest[1:] {
		i := bytes.Index(rest, zstdMagic)
		if i < 0 {
			return nil, errNoKernel
		}
		rest = rest[i:]
		if elf := firstFrame(rest); bytes.HasPrefix(elf, []byte("\x7fELF")) {
			return elf, nil
		}
	}
}

// firstFrame is the content of the frame that b begins with; bytes after the
// frame are an error of the next frame, when everything wanted is read.
func firstFrame(b []byte) []byte {
	d, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil
	}
	defer d.Close()
	var content bytes.Buffer
	_, _ = io.Copy(&content, d)
	return content.Bytes()
}
