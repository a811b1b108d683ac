// Package luks keeps a volume encrypted: it reads LUKS2 headers and the token
// in which a volume explains itself, and has cryptsetup make headers, write
// tokens, open and close. For what is not to be encrypted it has dmsetup make a
// mapping that looks the same from above.
//
// It never looks at what is on a device before it writes: whoever calls Format
// has proven that nothing is lost by it. Keys go to cryptsetup on standard
// input only, and from there into the kernel's keyring. Offsets and sizes are
// bytes. Errors of cryptsetup keep its own words; a wrong key and a busy device
// are ErrWrongKey and ErrBusy.
package luks

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"bootswain/internal/run"
)

// Subsystem is the subsystem label in the headers of our volumes.
const Subsystem = "bootswain"

// Reasons for which cryptsetup fails that callers tell apart.
var (
	ErrWrongKey = errors.New("the key does not unlock it")
	ErrBusy     = errors.New("the device is in use")
)

// Exit codes of cryptsetup, from cryptsetup(8).
const (
	exitWrongKey = 2
	exitNoDevice = 4
	exitBusy     = 5
)

// dataOffset is where the encrypted data begins: cryptsetup's default for
// LUKS2, given explicitly so that no version's default moves it.
const dataOffset = 16 << 20

// HeaderSize is what a header takes of a device, and MinSize the smallest device
// that holds one and some data.
const (
	HeaderSize = dataOffset
	MinSize    = 2 * dataOffset
)

// FormatOptions are a new header's identity and geometry.
type FormatOptions struct {
	UUID       string
	Label      string
	SectorSize int // of encryption: 4096 only where the device writes that much at once, else 512
}

// Format writes a new LUKS2 header with one keyslot over whatever is on the
// device. The key must be random: its derivation is deliberately fast.
func Format(ctx context.Context, r run.Runner, device string, o FormatOptions, key []byte) error {
	return cryptsetup(ctx, r, key, "luksFormat", "--type", "luks2", "--batch-mode",
		"--uuid", o.UUID, "--label", o.Label, "--subsystem", Subsystem,
		"--cipher", "aes-xts-plain64", "--key-size", "512", "--hash", "sha256",
		"--sector-size", strconv.Itoa(o.SectorSize), "--offset", strconv.Itoa(dataOffset/512),
		"--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file=-", device)
}

// SetToken replaces our token in the device's header, in one header update: a
// crash leaves the old token or the new one. It is done when both copies of the
// header have been read back with the new token in them.
func SetToken(ctx context.Context, r run.Runner, device string, t Token) error {
	text, err := t.encode()
	if err != nil {
		return err
	}
	// --token-replace is also right where there is no token yet.
	if err := cryptsetup(ctx, r, text, "token", "import", "--token-id", "0", "--token-replace", "--json-file", "-", device); err != nil {
		return err
	}
	h, err := ReadHeader(device)
	if err != nil {
		return err
	}
	for i, c := range h.Copies {
		if !c.Valid {
			return fmt.Errorf("cannot trust the LUKS header on %s: copy %d does not read back", device, i+1)
		}
		if got, err := c.token(); err != nil || got == nil || !got.equal(t) {
			return fmt.Errorf("cannot trust the LUKS header on %s: copy %d does not hold the token just written", device, i+1)
		}
	}
	return nil
}

// Open makes /dev/mapper/NAME over the device.
func Open(ctx context.Context, r run.Runner, device, name string, key []byte) error {
	return cryptsetup(ctx, r, key, "open", "--type", "luks2", "--key-file=-", "--disable-external-tokens", device, name)
}

// Resize gives the mapping NAME all the room of its device. The key is asked for
// because the kernel does not give the volume's back.
func Resize(ctx context.Context, r run.Runner, name string, key []byte) error {
	return cryptsetup(ctx, r, key, "resize", "--key-file=-", "--disable-external-tokens", name)
}

// Close ends the mapping NAME. A mapping that is not there is closed.
func Close(ctx context.Context, r run.Runner, name string) error {
	err := cryptsetup(ctx, r, nil, "close", name)
	if run.ExitCode(err) == exitNoDevice {
		return nil
	}
	return err
}

// cryptsetup runs it with stdin and names the errors that callers tell apart.
func cryptsetup(ctx context.Context, r run.Runner, stdin []byte, args ...string) error {
	_, err := r.Run(ctx, run.Cmd{Name: "cryptsetup", Args: args, Stdin: stdin})
	switch run.ExitCode(err) {
	case exitWrongKey:
		return fmt.Errorf("%w: %w", ErrWrongKey, err)
	case exitBusy:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}
