package volume

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"bootswain/ebs"
	"bootswain/internal/direct"
)

// A claim is a mark in the last 4 KiB of a device: "a set is being made of
// this, and nothing on it is wanted". It is written once the device is proven
// blank or released, before anything else, and removed before the set becomes
// ready. While it is there, whatever a crash left of mdadm's and cryptsetup's
// work may be made anew: luksFormat wipes sixteen MiB, with random bytes too,
// before it writes the first header, and without the claim a device cut off in
// between would look like somebody's data.
type claim struct {
	Set      string `json:"set"`                // the volume's name
	UUID     string `json:"uuid"`               // of the set: uuid(kindSet, …)
	Released string `json:"released,omitempty"` // fingerprint by which a person released the device
}

// A claim's block is as large as the largest sector that a device has, so that it
// can be written anywhere. What it says stands in the smallest: a write that a
// power cut tears in between two sectors has then put it there whole or not at
// all.
const (
	claimSize = 4096
	claimText = 512 - sha256.Size // and the checksum
)

var claimMagic = []byte("bootswain is making a set here; nothing on this device is wanted\n")

// claimAt is where the claim stands on a device of this size.
func claimAt(size int64) int64 { return size&^(claimSize-1) - claimSize }

// encode returns the block: magic, JSON, zeros, and the SHA-256 of these in the
// first 512 bytes; zeros after that.
func (c claim) encode() []byte {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // three strings always encode
	}
	b := make([]byte, claimSize)
	n := copy(b, claimMagic)
	copy(b[n:claimText], text)
	sum := sha256.Sum256(b[:claimText])
	copy(b[claimText:], sum[:])
	return b
}

// decodeClaim returns nil for anything but a claim whose first 512 bytes are whole.
func decodeClaim(b []byte) *claim {
	if len(b) != claimSize || !bytes.HasPrefix(b, claimMagic) {
		return nil
	}
	sum := sha256.Sum256(b[:claimText])
	if !bytes.Equal(sum[:], b[claimText:claimText+sha256.Size]) {
		return nil
	}
	text, _, _ := bytes.Cut(b[len(claimMagic):claimText], []byte{0})
	var c claim
	if json.Unmarshal(text, &c) != nil {
		return nil
	}
	return &c
}

// readClaim returns the claim on a device, or nil if there is none.
func readClaim(r io.ReaderAt, size int64) (*claim, error) {
	if claimAt(size) < 0 {
		return nil, nil
	}
	b := make([]byte, claimSize)
	if _, err := r.ReadAt(b, claimAt(size)); err != nil {
		return nil, err
	}
	return decodeClaim(b), nil
}

// writeBlock writes b at the claim's place and makes sure that it is on the
// device. exclusive fails where the kernel has given the device to somebody.
func writeBlock(d ebs.Device, b []byte, exclusive bool) error {
	flags := os.O_RDWR
	if exclusive {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(d.Path, flags, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(b, claimAt(d.Size)); err != nil {
		return err
	}
	return f.Sync()
}

// claimOn reads the claim of a device anew.
func claimOn(d ebs.Device) (*claim, error) {
	f, err := direct.Open(d.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := readClaim(f, d.Size)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s (%s): %w", d.VolumeID, d.Path, err)
	}
	return c, nil
}
