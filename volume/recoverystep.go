package volume

import (
	"context"

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
	_, path, err := a.target()
	if err != nil {
		return err
	}
	sealed, err := a.with(ctx, a.sealed, a.writing(Deed{Kind: DeedRecovery, Device: path, To: a.to}))
	if err != nil {
		return err
	}
	a.s.w.recovery = &luks.Recovery{Keyslot: recoverySlot, To: secret.ShortRecipient(a.to), Sealed: sealed}
	return nil
}

// hasRecovery tells whether the launch data asks for a recovery key.
func hasRecovery(e spec.Encryption) bool { return e.Recovery != "" && e.Recovery != spec.NoRecovery }
