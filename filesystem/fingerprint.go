package filesystem

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"bootswain/internal/direct"
)

// What a fingerprint reads, besides the signatures.
const (
	edge    = 1 << 20  // at the beginning and at the end
	sample  = 64 << 10 // in between
	samples = 14
)

// Fingerprint returns 12 hexadecimal digits that stand for what is on a device
// now, so that a person can release exactly that and nothing that comes later:
// the beginning of a SHA-256 over the size, the signatures in order of offset,
// the first and the last MiB, and 14 samples of 64 KiB at equal distances in
// between. It is the same on every machine and for as long as those bytes are;
// what changes elsewhere goes unseen.
func Fingerprint(path string, size int64, signatures []Signature) (string, error) {
	f, err := direct.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot take the fingerprint of %s: %w", path, err)
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "bootswain fingerprint 1\n%d\n", size)
	for _, s := range slices.SortedFunc(slices.Values(signatures), bySignature) {
		fmt.Fprintf(h, "%d %q %q %q\n", s.Offset, s.Type, s.UUID, s.Label)
	}
	buf := direct.Buffer(edge + direct.Align)
	for _, p := range places(size) {
		n, err := readSpan(f, buf[:p.length], p.offset, size)
		if err != nil {
			return "", fmt.Errorf("cannot take the fingerprint of %s: %w", path, err)
		}
		h.Write(buf[:n])
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

func bySignature(a, b Signature) int {
	return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Type, b.Type), cmp.Compare(a.UUID, b.UUID))
}

type place struct {
	offset int64
	length int
}

// places returns what a fingerprint reads of a device, in order and on block
// boundaries; all of it where the device is small.
func places(size int64) []place {
	var list []place
	if size <= 2*edge+samples*sample {
		for at := int64(0); at < size; at += edge {
			list = append(list, place{at, edge})
		}
		return list
	}
	list = append(list, place{0, edge})
	for i := int64(1); i <= samples; i++ {
		list = append(list, place{size / (samples + 1) * i &^ (direct.Align - 1), sample})
	}
	return append(list, place{(size - edge) &^ (direct.Align - 1), edge + direct.Align})
}
