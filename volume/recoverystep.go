package volume

import (
	"context"
	"fmt"

	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
)

// recoverySlot is the keyslot of the recovery key in a new header.
const recoverySlot = 1

// addRecovery gives an unfinished set a second key, which only the holder of an
// offline identity can unseal.
type addRecovery struct {
	at
	sealed []byte
	to     string
}

func (a *addRecovery) String() string {
	return "add a recovery key to " + a.s.Name + ", sealed to " + secret.ShortRecipient(a.to)
}

// Apply leaves the sealed key to the steps that write the token. A crash before
// that leaves an unfinished set, whose header is made anew.
func (a *addRecovery) Apply(ctx context.Context) error {
	if err := a.same(); err != nil {
		return err
	}
	if err := a.claimed(); err != nil {
		return err
	}
	_, path, err := a.target()
	if err != nil {
		return err
	}
	if err := free(path); err != nil {
		return err
	}
	if err := a.unready(path); err != nil {
		return err
	}
	key, err := a.s.w.key(ctx, a.sealed)
	if err != nil {
		return err
	}
	fresh := secret.Random()
	defer fresh.Destroy()
	sealed, err := secret.Seal([]string{a.to}, fresh)
	if err != nil {
		return err
	}
	if err := a.s.w.addKey(ctx, path, recoverySlot, key, fresh); err != nil {
		return err
	}
	a.s.w.recovery = &luks.Recovery{Keyslot: recoverySlot, To: secret.ShortRecipient(a.to), Sealed: sealed}
	return nil
}

// addKey fills a keyslot and makes sure that the new key opens it.
func (w *work) addKey(ctx context.Context, path string, keyslot int, key, added *secret.Key) error {
	return key.Use(func(k []byte) error {
		return added.Use(func(fresh []byte) error {
			if err := luks.AddKey(ctx, w.host.Run, path, keyslot, k, fresh); err != nil {
				return err
			}
			opens, err := luks.Keyslot(path, fresh)
			if err == nil && opens != keyslot {
				err = fmt.Errorf("the key that went into keyslot %d opens keyslot %d", keyslot, opens)
			}
			return err
		})
	})
}

// hasRecovery tells whether the launch data asks for a recovery key.
func hasRecovery(e spec.Encryption) bool { return e.Recovery != "" && e.Recovery != spec.NoRecovery }
