package luks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"

	luksgo "github.com/anatol/luks.go"
	"golang.org/x/sys/unix"

	"bootswain/internal/direct"
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
	return addKey(ctx, r, device, key, added, "--key-slot", strconv.Itoa(keyslot), "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
}

// AddPassphrase fills the lowest keyslot that is free with what a person chose:
// its derivation takes cryptsetup's default of time and memory.
func AddPassphrase(ctx context.Context, r run.Runner, device string, key, passphrase []byte) error {
	return addKey(ctx, r, device, key, passphrase, "--pbkdf", "argon2id")
}

func addKey(ctx context.Context, r run.Runner, device string, key, added []byte, options ...string) error {
	both := append(append(make([]byte, 0, len(key)+len(added)), key...), added...)
	defer clear(both)
	args := []string{"luksAddKey", "--key-file=-", "--keyfile-size", strconv.Itoa(len(key)), "--new-keyfile-size", strconv.Itoa(len(added)), "--hash", "sha256"}
	return cryptsetup(ctx, r, both, append(append(args, options...), device, "-")...)
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
	slots := h.quickKeyslots()
	f, err := h.inMemory(device, slots)
	if err != nil {
		return 0, fmt.Errorf("cannot read the keyslots on %s: %w", device, err)
	}
	defer f.Close()
	d, err := luksgo.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return 0, fmt.Errorf("cannot read the keyslots on %s: %w", device, err)
	}
	defer d.Close()
	for n := range slots {
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

// area is where the material of a keyslot stands.
type area struct {
	Offset int64 `json:"offset,string"`
	Size   int64 `json:"size,string"`
}

// quickKeyslots returns the keyslots that take no time and memory to try, as
// those of random keys.
func (h *Header) quickKeyslots() map[int]area {
	quick := map[int]area{}
	for name, raw := range h.keyslots {
		var slot struct {
			KDF  struct{ Type string }
			Area area
		}
		n, err := strconv.Atoi(name)
		if err == nil && json.Unmarshal(raw, &slot) == nil && slot.KDF.Type == "pbkdf2" {
			quick[n] = slot.Area
		}
	}
	return quick
}

// inMemory copies the header and the material of keyslots to a file in memory,
// past the page cache and within the time limit for reading, neither of which
// luks.go knows.
func (h *Header) inMemory(device string, slots map[int]area) (*os.File, error) {
	d, err := direct.Open(device)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	fd, err := unix.MemfdCreate("luks-header", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "luks-header")
	err = f.Truncate(h.DataOffset)
	for _, a := range append(slices.Collect(maps.Values(slots)), area{Size: h.size}) {
		if a.Offset < 0 || a.Size < 0 || a.Size > dataOffset || a.Offset+a.Size > h.DataOffset {
			err = errors.Join(err, fmt.Errorf("%d bytes at byte %d are not in front of the data", a.Size, a.Offset))
			continue
		}
		_, copied := io.Copy(io.NewOffsetWriter(f, a.Offset), io.NewSectionReader(d, a.Offset, a.Size))
		err = errors.Join(err, copied)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// zero clears the key that encrypts the data, which luks.go keeps in a field of
// its own and would leave in memory.
func zero(volume *luksgo.Volume) { clear(reflect.ValueOf(volume).Elem().FieldByName("key").Bytes()) }
