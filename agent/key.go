package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age/armor"
	"golang.org/x/term"

	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
	"bootswain/volume"
)

// RotateOptions say which key of a volume is replaced, and by what.
type RotateOptions struct {
	Name     string
	Sealed   string // a file with the new key, as seal prints it, "-" for standard input; "" means the launch data's
	Recovery bool   // replace the recovery key instead, by a new one
	To       string // the recipient of the recovery key; "" means the launch data's
	WithKey  bool   // a key that opens the volume now is on standard input
}

// RotateKey replaces a key of a volume that is up.
func (a *Agent) RotateKey(ctx context.Context, o RotateOptions, stdin io.Reader) error {
	a.lockMemory()
	want, err := a.meant(ctx, o.Name)
	if err != nil {
		return err
	}
	n, err := newKey(o, want.Encryption, stdin)
	if err != nil {
		return err
	}
	defer n.With.Destroy()
	return a.alone(ctx, o.Name, func() error {
		steps := 0
		err := volume.Rekey(ctx, a.storage, want, n, func(p volume.Progress) { steps++; a.showProgress(p) })
		switch {
		case err != nil:
			return err
		case steps == 0:
			a.say("%s: nothing to do: it has this key already. To make a new one: bootswain seal --to age1… --random", o.Name)
		case o.Recovery:
			a.say("%s: it has a new recovery key. To print it, sealed: bootswain key recovery %s", o.Name, o.Name)
		default:
			a.say("%s: it has a new key, and says itself where that is; give it as volumes.%s.encryption in the launch data too.\nHeaders backed up before still open with the old key.", o.Name, o.Name)
		}
		return nil
	})
}

// newKey is what the options ask for.
func newKey(o RotateOptions, given spec.Encryption, stdin io.Reader) (n volume.NewKey, err error) {
	switch {
	case o.Recovery:
		if n.Recovery = o.To; o.To == "" {
			n.Recovery = given.Recovery
		}
		if n.Recovery == "" || n.Recovery == spec.NoRecovery {
			return n, errors.New("sealed to whom? the launch data names no recipient: --to age1…")
		}
	case o.Sealed != "":
		var text []byte
		if text, err = readDocument(o.Sealed, stdin); err == nil {
			n.Sealed, err = spec.ParseSealed(text)
		}
	default:
		if n.Sealed = given.Sealed; len(n.Sealed) == 0 {
			err = errors.New("which key? the launch data names none: --sealed FILE, as bootswain seal or key new prints it")
		}
	}
	if err == nil && o.WithKey {
		n.With, err = broughtKey(stdin)
	}
	return n, err
}

// Unlock brings a volume up with a key from outside. It makes nothing new, unless
// the launch data says that this is where the key of a new volume comes from.
func (a *Agent) Unlock(ctx context.Context, name string, recovery bool, stdin io.Reader) error {
	a.lockMemory()
	asked, want, mysql, err := a.known(ctx, name)
	if err != nil {
		return err
	}
	key, err := broughtKey(stdin)
	if err != nil {
		return err
	}
	defer key.Destroy()
	if !mayMake(want.Encryption, key) {
		want.Create = spec.CreateNever
	}
	host, with := *a.storage, *a
	host.Keys, host.Elsewhere, with.storage = brought{key}, nil, &host
	err = with.applyVolume(ctx, asked, want, mysql)
	if !errors.Is(err, luks.ErrWrongKey) {
		return err
	}
	what := "key"
	if recovery {
		what = "recovery key"
	}
	return &situation.Situation{Word: situation.Locked, Subject: name, Cause: err,
		Text: "the " + what + " on standard input does not unlock it. Data untouched.",
		Next: "bootswain key recovery " + name + " prints the ciphertext of its recovery key"}
}

// mayMake tells whether what is made anew may get a key that was brought: only if
// that is how it was to get one, and never one that can be guessed.
func mayMake(e spec.Encryption, key *secret.Key) bool {
	return len(e.Sources) > 0 && e.Sources[0].Unlock && key.Strong()
}

// AddPassphrase lets a passphrase that a person chose open a volume, too.
func (a *Agent) AddPassphrase(ctx context.Context, name string, stdin io.Reader) error {
	a.lockMemory()
	phrase, err := broughtKey(stdin)
	if err != nil {
		return err
	}
	defer phrase.Destroy()
	if typed(stdin) {
		again, err := broughtKey(stdin)
		if err != nil {
			return err
		}
		defer again.Destroy()
		if !again.Equal(phrase) {
			return errors.New("these are two passphrases; nothing changed")
		}
	}
	return a.aboutHeader(ctx, name, func(want spec.Volume) error {
		if err := volume.AddPassphrase(ctx, a.storage, want, phrase, a.showProgress); err != nil {
			return err
		}
		a.say("%s: the passphrase opens it: bootswain unlock %s. To take it away: cryptsetup luksRemoveKey", name, name)
		return nil
	})
}

// broughtKey reads a key as it is, or asks for it on a terminal, where nobody
// types anything but a passphrase.
func broughtKey(stdin io.Reader) (*secret.Key, error) {
	if !typed(stdin) {
		return readKey(stdin, secret.Brought)
	}
	fmt.Fprint(os.Stderr, "passphrase: ")
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return nil, fmt.Errorf("cannot read the passphrase: %w", err)
	}
	return secret.Brought(b)
}

// typed tells whether a person types what is read.
func typed(stdin io.Reader) bool { return stdin == os.Stdin && term.IsTerminal(int(os.Stdin.Fd())) }

// brought is a key from outside; it takes the place of whatever is sealed.
type brought struct{ key *secret.Key }

// Unseal returns a copy, which its user destroys.
func (b brought) Unseal(context.Context, []byte) (k *secret.Key, err error) {
	err = b.key.Use(func(raw []byte) error {
		k, err = secret.Brought(append([]byte(nil), raw...))
		return err
	})
	return k, err
}

// RecoveryKey prints the ciphertext of a volume's recovery key, armored.
func (a *Agent) RecoveryKey(ctx context.Context, name string) error {
	want, err := a.meant(ctx, name)
	if err != nil {
		return err
	}
	want.Create = spec.CreateNever // no device need be proven blank
	s, err := volume.Observe(ctx, a.storage, want)
	if err != nil {
		return err
	}
	switch {
	case s.Token == nil:
		return &situation.Situation{Word: situation.Failed, Subject: name, Text: "no header of it can be read.", Next: "bootswain plan " + name + " says why"}
	case s.Token.Recovery == nil:
		return &situation.Situation{Word: situation.Failed, Subject: name, Text: "it has no recovery key.",
			Next: "to make one: bootswain key rotate " + name + " --recovery --to age1…"}
	}
	w := armor.NewWriter(a.out)
	if _, err := w.Write(s.Token.Recovery.Sealed); err != nil {
		return err
	}
	return w.Close()
}

// BackUpHeader writes a volume's LUKS header to a file.
func (a *Agent) BackUpHeader(ctx context.Context, name, file string) error {
	return a.aboutHeader(ctx, name, func(want spec.Volume) error {
		if err := volume.BackUpHeader(ctx, a.storage, want, file); err != nil {
			return err
		}
		a.say("%s: its LUKS header is in %s, with its keys, wrapped. Keep it off this machine; who has it and a key that it was made with can open %s.", name, file, name)
		return nil
	})
}

// RestoreHeader writes a backup over the LUKS header of a volume that is down.
func (a *Agent) RestoreHeader(ctx context.Context, name, file string) error {
	return a.aboutHeader(ctx, name, func(want spec.Volume) error {
		if err := volume.RestoreHeader(ctx, a.storage, want, file, a.showProgress); err != nil {
			return err
		}
		a.say("%s: its header is that of the backup, and its keys are those of that time.\n  next: bootswain up %s", name, name)
		return nil
	})
}

func (a *Agent) aboutHeader(ctx context.Context, name string, do func(spec.Volume) error) error {
	a.lockMemory()
	want, err := a.meant(ctx, name)
	if err != nil {
		return err
	}
	return a.alone(ctx, name, func() error { return do(want) })
}

// lockMemory keeps keys out of swap, as far as that can be had.
func (a *Agent) lockMemory() {
	if err := secret.LockMemory(); err != nil {
		a.say("bootswain: %v; going on", err)
	}
}

// alone does something to a volume in turn with the daemon.
func (a *Agent) alone(ctx context.Context, name string, do func() error) error {
	release, err := a.volumeLock(name).take(ctx, func(holder string) { a.say("waiting for %s", holder) })
	if err != nil {
		return err
	}
	defer release()
	if err := do(); err != nil {
		return named(err, name)
	}
	return nil
}
