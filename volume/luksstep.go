package volume

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/plan"
	"bootswain/secret"
	"bootswain/spec"
)

// unseal gets the key before anything is written, so that a key that cannot be
// had changes nothing.
type unseal struct {
	at
	sealed []byte
}

func (u *unseal) String() string { return "get the key of " + u.s.Name }

func (u *unseal) Apply(ctx context.Context) error {
	_, err := u.with(ctx, u.sealed, Deed{Kind: DeedGet})
	if s := situation.Of(err); s != nil && errors.Is(s, secret.ErrBrought) {
		own := *s
		own.Next = u.bring()
		return &own
	}
	return err
}

// bring is the next step where a key is brought from outside.
func (a at) bring() string { return "bootswain unlock " + a.s.Name + " < KEY" }

// formatLUKS writes a new header.
type formatLUKS struct {
	at
	sealed []byte
}

func (f *formatLUKS) String() string          { return "write a LUKS2 header for " + f.on() }
func (f *formatLUKS) Destroys() []plan.Device { return f.all() }

func (f *formatLUKS) Apply(ctx context.Context) error {
	if err := f.same(); err != nil {
		return err
	}
	kernel, path, err := f.target()
	if err != nil {
		return err
	}
	o := luks.FormatOptions{UUID: f.s.uuid(kindHeader), Label: f.s.Name, SectorSize: f.s.w.sectorSize(kernel)}
	_, err = f.with(ctx, f.sealed, f.writing(Deed{Kind: DeedFormat, Device: path, Format: o}))
	return err
}

// putToken writes down what the set is and that it is being made.
type putToken struct {
	at
	token    luks.Token
	recovery bool
}

func (p *putToken) String() string {
	text := "note in the header that " + p.s.Name + " is being prepared"
	if p.token.Intent == luks.Scratch {
		return "note in the header that " + p.s.Name + " is scratch"
	}
	if !p.recovery {
		text += "; it has no recovery key"
	}
	return text
}

func (p *putToken) Apply(ctx context.Context) error {
	return p.setToken(ctx, p.token)
}

// setToken writes a token into this set's own unfinished header.
func (a at) setToken(ctx context.Context, t luks.Token) error {
	if err := a.same(); err != nil {
		return err
	}
	_, path, err := a.target()
	if err != nil {
		return err
	}
	if err := a.unready(path); err != nil {
		return err
	}
	t.Purpose.MySQL, t.Recovery = a.host().Database == a.s.Name, a.s.w.recovery
	return luks.SetToken(ctx, a.host().Run, path, t)
}

// open unlocks with the first of the keys that does it: the launch data's, then
// the volume's own.
type open struct {
	at
	given, own [][]byte // sources of the key
}

func (o *open) String() string {
	text := "open " + o.on()
	if h := o.s.Header; o.s.ready() && h.Damaged() != "" {
		text += ", though the " + h.Damaged() + " copy of its LUKS header is damaged"
	}
	return text
}

func (o *open) Apply(ctx context.Context) error {
	if err := o.same(); err != nil {
		return err
	}
	kernel, path, err := o.target()
	if err != nil {
		return err
	}
	if _, err := o.mappingOn(kernel, path); err == nil {
		return nil
	}
	if err := o.unlock(ctx, Deed{Kind: DeedOpen, Device: path, Mapping: mappingName(o.s.Name)}); err != nil {
		return err
	}
	_, err = o.mappingOn(kernel, path)
	return err
}

// unlock does something that takes a key with the first one that fits.
func (o *open) unlock(ctx context.Context, d Deed) error {
	var locked []refusal
	tried := map[string]bool{"": o.s.Mode == spec.EncryptionSealed} // no source is no key
	try := func(whose string, sources [][]byte) (done bool, err error) {
		for _, source := range sources {
			if tried[string(source)] {
				continue
			}
			tried[string(source)] = true
			s, err := o.try(ctx, source, d)
			if err != nil || s == nil {
				return true, err
			}
			locked = append(locked, refusal{whose, s})
		}
		return false, nil
	}
	if done, err := try("the launch data's key: ", o.given); done {
		return err
	}
	if done, err := try("the volume's own key: ", o.own); done {
		return err
	}
	if len(locked) == 0 {
		return errors.New("there is no key for it")
	}
	all := join(locked)
	if errors.Is(all, secret.ErrBrought) {
		all.Next = o.bring()
	}
	if o.s.Token != nil && o.s.Token.Recovery != nil {
		all.Next += "; or with the recovery key: bootswain unlock " + o.s.Name + " --recovery"
	}
	return all
}

// try does it with one key. A key that cannot be had or does not fit is a
// situation, anything else an error.
func (o *open) try(ctx context.Context, source []byte, d Deed) (*situation.Situation, error) {
	_, err := o.with(ctx, source, d)
	if s := situation.Of(err); s != nil {
		own := *s
		return &own, nil
	}
	if errors.Is(err, luks.ErrWrongKey) {
		return &situation.Situation{Word: situation.Locked, Text: luks.ErrWrongKey.Error() + ". Data untouched.",
			Next: "give the key that it was made with", Cause: err}, nil
	}
	return nil, err
}

// refusal is a key that cannot be had or does not fit.
type refusal struct {
	whose string
	*situation.Situation
}

// join makes one sentence of the reasons why each key failed. Of a single one
// nobody need say whose it is.
func join(all []refusal) *situation.Situation {
	first := *all[0].Situation
	if len(all) == 1 {
		return &first
	}
	var texts []string
	for _, r := range all {
		texts = append(texts, r.whose+strings.TrimSuffix(r.Text, ". Data untouched."))
	}
	first.Text = strings.Join(texts, "; ") + ". Data untouched."
	return &first
}

// closeMapping ends the mapping of an unfinished set, so that it can be made
// anew.
type closeMapping struct{ at }

func (c *closeMapping) String() string { return "close " + c.s.Name + ", which is unfinished" }

func (c *closeMapping) Apply(ctx context.Context) error {
	if err := c.s.w.unmapped(ctx, c.s.Mapping.Mapping); err != nil {
		return fmt.Errorf("cannot close it: %w", err)
	}
	return nil
}
