package volume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
)

// NewKey is a key that a volume is to get.
type NewKey struct {
	Sealed   []byte      // where the new key is, for this machine to unseal; or
	Recovery string      // the age recipient to whom a new random recovery key is sealed
	With     *secret.Key // opens the volume now; nil: the key that the volume holds, or the launch data's
}

// Rekey gives a volume that is ready, in use or not, a new key in the place of
// the old one: it adds, verifies, records, and only then removes.
//
//	token: key in A ── spare: B ──► B filled ──► B opens ── key in B, spare: A ──► A emptied ── spare: –
//	       └──── the old key opens it ─────┘                └──────── the new key opens it ────────────┘
//
// The lines are single updates of the header, so that after a crash at any
// instruction the key that the token holds opens the volume. Keyslots named as
// spare are emptied, or used, when Rekey runs again; keyslots that people filled
// stay as they are. progress may be nil.
func Rekey(ctx context.Context, h *Host, want spec.Volume, n NewKey, progress func(Progress)) error {
	return onKeys(ctx, h, want, n, progress, (*rekey).run)
}

// AddPassphrase lets what a person chose open a volume that is ready, too. What
// it opens is the person's own affair: the token says nothing of it, and Rekey
// leaves it alone. progress may be nil.
func AddPassphrase(ctx context.Context, h *Host, want spec.Volume, phrase *secret.Key, progress func(Progress)) error {
	return onKeys(ctx, h, want, NewKey{}, progress, func(r *rekey, ctx context.Context, want spec.Volume) error {
		key, err := r.present(ctx, want)
		if err != nil {
			return err
		}
		return r.write("add a passphrase to "+r.s.Name+", and see that it opens", func(path string) error {
			return key.Use(func(k []byte) error {
				return phrase.Use(func(p []byte) error {
					if err := luks.AddPassphrase(ctx, h.Run, path, k, p); err != nil {
						return err
					}
					return luks.Try(ctx, h.Run, path, p)
				})
			})
		})
	})
}

// onKeys does something to the keys of a volume that is ready.
func onKeys(ctx context.Context, h *Host, want spec.Volume, n NewKey, progress func(Progress), do func(*rekey, context.Context, spec.Volume) error) error {
	w := newWork(h, want.Name, progress)
	defer w.end()
	s, err := w.rekeyable(ctx, want)
	if err != nil {
		return err
	}
	r := &rekey{at: s.at(), NewKey: n, token: *s.Token}
	if err := r.whole(ctx); err != nil {
		return explain(want.Name, "change its keys", err)
	}
	if err := do(r, ctx, want); err != nil {
		return explain(want.Name, "change its keys", err)
	}
	return nil
}

// rekeyable looks at a volume whose keys can be read and changed.
func (w *work) rekeyable(ctx context.Context, want spec.Volume) (State, error) {
	s, err := w.observe(ctx, want)
	if err == nil {
		err = s.rekeyable(want)
	}
	return s, err
}

// rekeyable finds what keeps the keys from being changed.
func (s State) rekeyable(want spec.Volume) error {
	if err := s.keyed(want); err != nil {
		return err
	}
	if t := s.trouble(want); t != nil {
		return t
	}
	_, path, _ := s.target()
	switch {
	case len(s.Missing) > 0:
		return s.incomplete()
	case s.HeaderErr != nil || s.TokenErr != nil:
		cause := errors.Join(s.HeaderErr, s.TokenErr)
		return s.failed(cause, "bootswain key header restore", "%v; nothing written", cause)
	case path == "" || s.Header == nil || s.Token == nil || s.Token.Intent != luks.Ready:
		return s.failed(nil, "bootswain apply "+s.Name, "it is not up; nothing written")
	case len(s.Header.Requirements) > 0:
		return s.unusable(want)
	}
	return nil
}

// keyed refuses a volume that has no key to keep.
func (s State) keyed(want spec.Volume) error {
	if want.Encryption.Mode == spec.EncryptionSealed {
		return nil
	}
	return s.refused("leave it as it is", "its encryption is %s: it has no key to keep; nothing written", want.Encryption.Mode)
}

// incomplete is a volume whose devices are not all there, for who asked for
// something that nobody tries again.
func (s State) incomplete() error {
	waiting := s.waiting()
	waiting.Next = "attach " + strings.Join(s.Missing, ", ") + ", and give the command again"
	return waiting
}

// rekey is the change of one key.
type rekey struct {
	at
	NewKey
	token luks.Token // as it stands in the header
}

// whole has both copies of the header written where they differ, as after a
// crash between them.
func (r *rekey) whole(ctx context.Context) error {
	if r.s.Header.Whole() {
		return nil
	}
	return r.put(ctx, "write both copies of the header of "+r.s.Name, r.token)
}

func (r *rekey) run(ctx context.Context, want spec.Volume) error {
	fresh, err := r.fresh(ctx)
	if err != nil {
		return err
	}
	defer fresh.Destroy()
	key, err := r.present(ctx, want)
	if err != nil {
		return err
	}
	at, err := r.opens(fresh) // where an earlier run was cut off, it may be there already
	if err != nil {
		return err
	}
	if t := r.token; r.Recovery == "" && t.Recovery != nil && at == t.Recovery.Keyslot {
		return r.s.refused("seal another key", "the new key is its recovery key; nothing written")
	}
	if err := r.empty(ctx, key, at); err != nil {
		return err
	}
	if at < 0 {
		if at, err = r.add(ctx, key, fresh); err != nil {
			return err
		}
	}
	if r.Recovery == "" {
		if t := r.token; t.Keyslot == at && bytes.Equal(t.Sealed, r.Sealed) {
			return nil
		}
		key = fresh
	}
	if err := r.record(ctx, at); err != nil {
		return err
	}
	return r.empty(ctx, key, -1)
}

// fresh is the new key. The one that is to be the volume's own must be one that
// this machine can unseal.
func (r *rekey) fresh(ctx context.Context) (*secret.Key, error) {
	if r.Recovery == "" {
		return r.host().Keys.Unseal(ctx, secret.Sources(r.Sealed)[0])
	}
	k := secret.Random()
	var err error
	if r.Sealed, err = secret.Seal([]string{r.Recovery}, k); err != nil {
		k.Destroy()
	}
	return k, err
}

// present returns a key that opens the volume now.
func (r *rekey) present(ctx context.Context, want spec.Volume) (*secret.Key, error) {
	if r.With != nil {
		_, path, err := r.target()
		if err != nil {
			return nil, err
		}
		err = r.With.Use(func(k []byte) error { return luks.Try(ctx, r.host().Run, path, k) })
		if errors.Is(err, luks.ErrWrongKey) {
			err = r.s.locked("bring a key that does: bootswain key recovery "+r.s.Name, "the key that was brought does not unlock it")
		}
		return r.With, err
	}
	var locked []*situation.Situation
	for _, sealed := range append(secret.Sources(r.token.Sealed), secret.Sources(want.Encryption.Sealed)...) {
		if len(sealed) == 0 {
			continue
		}
		key, err := r.s.w.key(ctx, sealed)
		if s := situation.Of(err); s != nil {
			locked = append(locked, s)
			continue
		}
		if err != nil {
			return nil, err
		}
		if at, err := r.opens(key); err != nil || at >= 0 {
			return key, err
		}
	}
	if len(locked) > 0 {
		return nil, locked[0]
	}
	return nil, r.s.locked("bring one that does: --with-key", "neither its own key nor the launch data's opens keyslot %d", r.token.Keyslot)
}

// opens returns the keyslot that a key opens, or -1.
func (r *rekey) opens(k *secret.Key) (at int, err error) {
	_, path, err := r.target()
	if err != nil {
		return -1, err
	}
	err = k.Use(func(b []byte) error {
		at, err = luks.Keyslot(path, b)
		return err
	})
	if errors.Is(err, luks.ErrWrongKey) {
		return -1, nil
	}
	return at, err
}

// add fills a free keyslot.
func (r *rekey) add(ctx context.Context, key, fresh *secret.Key) (at int, err error) {
	h, err := r.header()
	if err != nil {
		return -1, err
	}
	if at = h.FreeKeyslot(); at < 0 {
		return -1, r.s.refused("empty one: cryptsetup luksKillSlot", "it has no free keyslot; nothing written")
	}
	t := r.token
	t.Spare = []int{at}
	if err := r.put(ctx, fmt.Sprintf("note in the header that keyslot %d is being filled", at), t); err != nil {
		return -1, err
	}
	return at, r.write(fmt.Sprintf("add the new key to %s in keyslot %d, and see that it opens", r.s.Name, at), func(path string) error {
		return addKey(ctx, r.host().Run, path, at, key, fresh)
	})
}

// record notes in the header which key is the volume's from now on, and that
// the one before it is to go.
func (r *rekey) record(ctx context.Context, at int) error {
	t, what := r.token, "key"
	t.Spare = nil
	if r.Recovery == "" {
		if t.Keyslot != at {
			t.Spare = []int{t.Keyslot}
		}
		t.Keyslot, t.Sealed = at, r.Sealed
	} else {
		what = "recovery key"
		if t.Recovery != nil {
			t.Spare = []int{t.Recovery.Keyslot}
		}
		t.Recovery = &luks.Recovery{Keyslot: at, To: secret.ShortRecipient(r.Recovery), Sealed: r.Sealed}
	}
	return r.put(ctx, fmt.Sprintf("note in the header that the %s of %s is that in keyslot %d", what, r.s.Name, at), t)
}

// empty empties the spare keyslots but one. key opens another than them.
func (r *rekey) empty(ctx context.Context, key *secret.Key, but int) error {
	for _, n := range r.token.Spare {
		h, err := r.header()
		if err != nil {
			return err
		}
		if n == but || !h.HasKeyslot(n) {
			continue
		}
		err = r.write(fmt.Sprintf("empty keyslot %d of %s", n, r.s.Name), func(path string) error {
			return key.Use(func(k []byte) error { return luks.RemoveKey(ctx, r.host().Run, path, n, k) })
		})
		if err != nil {
			return err
		}
	}
	if len(r.token.Spare) == 0 || slices.Contains(r.token.Spare, but) {
		return nil
	}
	t := r.token
	t.Spare = nil
	return r.put(ctx, "note in the header that nothing is left to be done", t)
}

// put writes a token, and returns when it is on the devices: what comes next
// relies on it, and a power cut could keep the later of two writes alone.
func (r *rekey) put(ctx context.Context, what string, t luks.Token) error {
	err := r.write(what, func(path string) error {
		if err := luks.SetToken(ctx, r.host().Run, path, t); err != nil {
			return err
		}
		return filesystem.Sync(path)
	})
	if err == nil {
		r.token = t
	}
	return err
}

// write does something to the header, if all is as it was.
func (r *rekey) write(what string, do func(path string) error) error {
	return r.s.w.do(what, func() error {
		if err := r.same(); err != nil {
			return err
		}
		if _, err := r.header(); err != nil {
			return err
		}
		_, path, err := r.target()
		if err != nil {
			return err
		}
		return do(path)
	})
}

// header reads the header anew and makes sure that it is the one that was seen,
// with the token that was written last.
func (r *rekey) header() (*luks.Header, error) {
	_, path, err := r.target()
	if err != nil {
		return nil, err
	}
	h, err := luks.ReadHeader(path)
	if err != nil {
		return nil, err
	}
	t, err := h.Token()
	if err != nil {
		return nil, err
	}
	if h.UUID != r.s.Header.UUID || t == nil || t.Keyslot != r.token.Keyslot || !bytes.Equal(t.Sealed, r.token.Sealed) {
		return nil, fmt.Errorf("the LUKS header on %s is another than a moment ago; nothing written", path)
	}
	return h, nil
}
