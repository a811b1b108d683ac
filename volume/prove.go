package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"bootswain/filesystem"
	"bootswain/spec"
)

// prove reads the devices of which a new set would be made if they were blank,
// all at once and from beginning to end, unless that was done before for the
// same disk in the same work. Zero samples prove nothing.
func (w *work) prove(ctx context.Context, s *State, want spec.Volume) error {
	if !s.wouldCreate(want) {
		return nil
	}
	var wait sync.WaitGroup
	faults := make([]error, len(s.Devices))
	done := w.bytes("read every byte to make sure that it is blank")
	for i := range s.Devices {
		d := &s.Devices[i]
		if d.Content.Kind != KindNothing || s.claims(d.Claim) {
			continue
		}
		if first, known := w.proof(d); known {
			d.Content.FirstData = first
			continue
		}
		wait.Go(func() { faults[i] = w.read(ctx, d, done) })
	}
	wait.Wait()
	done.end()
	return errors.Join(faults...)
}

// wouldCreate tells whether a new set would be made if the devices without a
// signature were blank.
func (s State) wouldCreate(want spec.Volume) bool {
	asked := false
	s.Devices = append([]Device(nil), s.Devices...)
	for i := range s.Devices {
		if c := &s.Devices[i].Content; c.Kind == KindNothing && c.FirstData == NotLooked {
			c.FirstData, asked = AllZero, true
		}
	}
	if !asked {
		return false
	}
	_, err := Plan(want, s)
	return err == nil
}

// read reads one device. One that cannot be read is a finding, one on which the
// reading was stopped an error.
func (w *work) read(ctx context.Context, d *Device, progress *counter) error {
	first, err := w.firstData(ctx, d, progress)
	if ctx.Err() != nil {
		return err
	}
	if err == nil && first != AllZero {
		d.Content.Fingerprint, err = filesystem.Fingerprint(d.Path, d.Size, nil)
	}
	if err != nil {
		d.Content = Content{Kind: KindUnreadable, Fault: err.Error()}
		return nil
	}
	// The disk must be the one of which the answer is kept.
	if err := w.host.EBS.Recheck(d.Device); err != nil {
		d.Content = Content{Kind: KindUnreadable, Fault: err.Error()}
		return nil
	}
	d.Content.FirstData = first
	if first == AllZero {
		w.proven(d)
	}
	return nil
}

// firstData looks first where data was found before: as long as it is there,
// nothing else has to be read.
func (w *work) firstData(ctx context.Context, d *Device, progress *counter) (int64, error) {
	known := w.host.Found
	if known == nil {
		known = new(Found)
	}
	if at, ok := known.offsets.Load(proofKey(d)); ok {
		if there, err := filesystem.DataAt(d.Path, at.(int64)); err != nil || there {
			return at.(int64), err
		}
	}
	first, err := filesystem.FirstData(ctx, d.Path, d.Size, progress.of(d.Size))
	if err == nil && first != AllZero {
		known.offsets.Store(proofKey(d), first)
	}
	return first, err
}

func proofKey(d *Device) string { return fmt.Sprintf("%s %s %d", d.VolumeID, d.Number, d.Diskseq) }

func (w *work) proof(d *Device) (int64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.proofs[proofKey(d)]
	return AllZero, known
}

func (w *work) proven(d *Device) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proofs[proofKey(d)] = struct{}{}
}
