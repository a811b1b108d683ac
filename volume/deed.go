package volume

import (
	"context"
	"errors"
	"fmt"

	"bootswain/ebs"
	"bootswain/internal/run"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
)

// Deed is one thing that takes a volume's key. It consists of plain values, so that
// another process can do it, out of whose memory the key never comes.
type Deed struct {
	Kind    DeedKind
	Device  string             // "/dev/md127"
	Mapping string             // of DeedOpen and DeedResize: its name
	Format  luks.FormatOptions // of DeedFormat
	To      string             // of DeedRecovery: age recipient

	// Of a deed that writes: the set that Device is to be of, so that whoever
	// writes can look once more right before. Getting the key may have taken long.
	Set     string
	Mode    spec.EncryptionMode
	Store   bool
	Members []ebs.Device
}

// DeedKind is what is done.
type DeedKind string

// The kinds of deeds.
const (
	DeedGet      DeedKind = "get"      // nothing but getting the key
	DeedFormat   DeedKind = "format"   // write a new header over the device
	DeedOpen     DeedKind = "open"     // make a mapping
	DeedResize   DeedKind = "resize"   // give a mapping all the room of its device
	DeedRecovery DeedKind = "recovery" // add a random second key to a new header
)

// writing is a deed that writes to a set that is being made.
func (a at) writing(d Deed) Deed {
	d.Set, d.Mode, d.Store = a.s.Name, a.s.Mode, a.s.Store
	for _, m := range a.s.Devices {
		d.Members = append(d.Members, m.Device)
	}
	return d
}

// mayWrite looks once more at what a deed is about to write over.
func (d Deed) mayWrite(r run.Runner, e ebs.Host) error {
	s := State{Name: d.Set, Mode: d.Mode, Store: d.Store, Wanted: len(d.Members), w: newWork(&Host{Run: r, EBS: e}, d.Set, nil)}
	for _, m := range d.Members {
		s.Devices = append(s.Devices, Device{Device: m})
	}
	if s.Wanted == 0 {
		return errors.New("cannot write to a set of nothing")
	}
	a := s.at()
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
	if path != d.Device {
		return fmt.Errorf("the set was on %s a moment ago and is on %s; nothing written", d.Device, path)
	}
	if err := free(path); err != nil {
		return err
	}
	return a.unready(path)
}

// With does it on a machine whose devices are e's, and returns the ciphertext of a
// recovery key that it made.
func (d Deed) With(ctx context.Context, r run.Runner, e ebs.Host, key *secret.Key) (recovery []byte, err error) {
	switch d.Kind {
	case DeedFormat, DeedRecovery:
		if err := d.mayWrite(r, e); err != nil {
			return nil, err
		}
	}
	if d.Kind == DeedRecovery {
		return d.addRecovery(ctx, r, key)
	}
	return nil, key.Use(func(k []byte) error {
		switch d.Kind {
		case DeedGet:
			return nil
		case DeedFormat:
			return luks.Format(ctx, r, d.Device, d.Format, k)
		case DeedOpen:
			return luks.Open(ctx, r, d.Device, d.Mapping, k)
		case DeedResize:
			return luks.Resize(ctx, r, d.Mapping, k)
		}
		return fmt.Errorf("cannot do %q with a key", d.Kind)
	})
}

func (d Deed) addRecovery(ctx context.Context, r run.Runner, key *secret.Key) ([]byte, error) {
	fresh := secret.Random()
	defer fresh.Destroy()
	sealed, err := secret.Seal([]string{d.To}, fresh)
	if err != nil {
		return nil, err
	}
	return sealed, addKey(ctx, r, d.Device, recoverySlot, key, fresh)
}

// addKey fills a keyslot and makes sure that the new key opens it.
func addKey(ctx context.Context, r run.Runner, path string, keyslot int, key, added *secret.Key) error {
	return key.Use(func(k []byte) error {
		return added.Use(func(fresh []byte) error {
			if err := luks.AddKey(ctx, r, path, keyslot, k, fresh); err != nil {
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

// with does a deed with the key from a source, or of what is made anew with each
// boot with the one that this process made for it.
func (a at) with(ctx context.Context, source []byte, d Deed) (recovery []byte, err error) {
	h := a.host()
	switch {
	case a.s.Mode == spec.EncryptionEphemeral:
		return d.With(ctx, h.Run, h.EBS, a.s.w.ephemeral())
	case h.Elsewhere != nil:
		return h.Elsewhere(ctx, source, d)
	}
	key, err := a.s.w.key(ctx, source)
	if err != nil {
		return nil, err
	}
	return d.With(ctx, h.Run, h.EBS, key)
}
