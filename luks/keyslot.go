package luks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	luksgo "github.com/anatol/luks.go"

	"bootswain/internal/run"
)

// maxKeyslots bounds the keyslots that we fill. LUKS2 has 32; people know the
// eight of LUKS1.
const maxKeyslots = 8

// FreeKeyslot returns the highest keyslot that is free, or -1. cryptsetup takes
// the lowest, so that a key which a person adds never comes into one that is
// ours.
func (h *Header) FreeKeyslot() int {
	for n := maxKeyslots - 1; n >= 0; n-- {
		if !h.HasKeyslot(n) {
			return n
		}
	}
	return -1
}

// AddKey fills a free keyslot, so that added opens the volume too. key must
// open it now. added must be random: its derivation is deliberately fast.
func AddKey(ctx context.Context, r run.Runner, device string, keyslot int, key, added []byte) error {
	both := append(append(make([]byte, 0, len(key)+len(added)), key...), added...)
	defer clear(both)
	return cryptsetup(ctx, r, both, "luksAddKey", "--key-slot", strconv.Itoa(keyslot),
		"--key-file=-", "--keyfile-size", strconv.Itoa(len(key)), "--new-keyfile-size", strconv.Itoa(len(added)),
		"--hash", "sha256", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", device, "-")
}

// RemoveKey empties a keyslot. key must open another.
func RemoveKey(ctx context.Context, r run.Runner, device string, keyslot int, key []byte) error {
	// cryptsetup asks for that too, but lets the last keyslot go by its own key.
	switch opens, err := Keyslot(device, key); {
	case errors.Is(err, ErrWrongKey): // it may be one that a person added
	case err != nil:
		return err
	case opens == keyslot:
		return fmt.Errorf("cannot empty keyslot %d of %s: the key opens no other", keyslot, device)
	}
	return cryptsetup(ctx, r, key, "luksKillSlot", "--key-file=-", device, strconv.Itoa(keyslot))
}

// Try tells whether a key opens the volume, one that a person chose too. It
// makes no mapping.
func Try(ctx context.Context, r run.Runner, device string, key []byte) error {
	return cryptsetup(ctx, r, key, "open", "--test-passphrase", "--type", "luks2", "--key-file=-", "--disable-external-tokens", device)
}

// Keyslot returns which keyslot of the device, or of a file that holds a copy
// of its header, a random key opens; ErrWrongKey if it opens none. It makes no
// mapping, and asks luks.go instead of cryptsetup: that a key was added well is
// told by another program than the one that added it, from what is on the disk.
// Keyslots of people's passphrases are left out, since trying one can take a
// gigabyte of memory.
func Keyslot(device string, key []byte) (keyslot int, err error) {
	h, err := ReadHeader(device)
	if err != nil {
		return 0, err
	}
	if !h.Whole() { // luks.go reads the primary copy only
		return 0, fmt.Errorf("cannot read the keyslots on %s: the copies of its header differ", device)
	}
	// luks.go trusts the numbers in a header.
	defer func() {
		if p := recover(); p != nil {
			keyslot, err = 0, fmt.Errorf("cannot read the keyslots on %s: %v", device, p)
		}
	}()
	d, err := luksgo.Open(device)
	if err != nil {
		return 0, fmt.Errorf("cannot read the keyslots on %s: %w", device, err)
	}
	defer d.Close()
	for _, n := range d.Slots() {
		if !h.quick(n) {
			continue
		}
		volume, err := d.UnsealVolume(n, key)
		if errors.Is(err, luksgo.ErrPassphraseDoesNotMatch) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("cannot read keyslot %d on %s: %w", n, device, err)
		}
		zero(volume)
		return n, nil
	}
	return 0, fmt.Errorf("%s: %w", device, ErrWrongKey)
}

// quick tells whether a keyslot takes no time and memory to try, as those of
// random keys.
func (h *Header) quick(n int) bool {
	var slot struct{ KDF struct{ Type string } }
	return json.Unmarshal(h.keyslots[strconv.Itoa(n)], &slot) == nil && slot.KDF.Type == "pbkdf2"
}

// zero clears the key that encrypts the data, which luks.go keeps in a field of
// its own and would leave in memory.
func zero(volume *luksgo.Volume) { clear(reflect.ValueOf(volume).Elem().FieldByName("key").Bytes()) }
