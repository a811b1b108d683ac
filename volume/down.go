package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootswain/filesystem"
	"bootswain/internal/direct"
	"bootswain/internal/run"
	"bootswain/luks"
	"bootswain/raid"
)

// downTimeout bounds the taking down of all volumes at shutdown.
const downTimeout = 80 * time.Second

// Down unmounts a volume, closes it and stops its array: the reverse of
// bringing it up, each step safe to repeat. What is not up is down. It needs no
// launch data: the kernel shows what stands on what. Of a volume that lost
// devices it removes what is left by force, since nothing can be written to it
// any more; one that is in use is left as it is, with an error. progress, which
// may be nil, is told of each part that is taken down.
func Down(ctx context.Context, h *Host, volume string, progress func(Progress)) error {
	w := newWork(h, volume, progress)
	arrays, err := w.arraysOf(volume)
	if err != nil {
		return explain(volume, "take it down", err)
	}
	all, err := luks.Mappings(h.EBS.Sys)
	if err != nil {
		return explain(volume, "take it down", err)
	}
	for _, m := range all {
		if m.Name != mappingName(volume) {
			continue
		}
		if err := w.unmap(ctx, m); err != nil {
			return explain(volume, "take it down", err)
		}
	}
	for _, md := range arrays {
		err := w.do("stop "+md, func() error { return raid.Stop(ctx, h.Run, h.EBS.Sys, md) })
		if err != nil {
			return explain(volume, "take it down", err)
		}
	}
	return nil
}

// DownAll takes down every volume of ours that is up, with or without launch
// data, and returns what could not be taken down.
func DownAll(ctx context.Context, h *Host, progress func(Progress)) error {
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	volumes, err := Up(h)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range volumes {
		errs = append(errs, Down(ctx, h, v, progress))
	}
	return errors.Join(errs...)
}

// Up returns the names of our volumes of which anything is up.
func Up(h *Host) ([]string, error) {
	var names []string
	all, err := luks.Mappings(h.EBS.Sys)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		names = append(names, volumeOf(m.Name))
	}
	arrays, err := filepath.Glob(filepath.Join(h.EBS.Sys, "block", "md*", "md"))
	if err != nil {
		return nil, err
	}
	for _, dir := range arrays {
		name, _ := newWork(h, "", nil).setName(filepath.Base(filepath.Dir(dir)))
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(n string) bool { return n == "" }), nil
}

// unmap unmounts and closes a mapping.
func (w *work) unmap(ctx context.Context, m luks.Mapping) error {
	number, err := os.ReadFile(filepath.Join(w.host.EBS.Sys, "block", m.Kernel, "dev"))
	if err != nil {
		return err
	}
	lost := w.lostUnder(m.Kernel)
	if err := w.unmount(ctx, strings.TrimSpace(string(number)), lost); err != nil {
		return err
	}
	return w.do("close "+m.Name, func() error {
		err := w.unmapped(ctx, m)
		if err != nil && lost {
			return luks.CloseLost(ctx, w.host.Run, m.Name)
		}
		return err
	})
}

// unmapped closes a mapping.
func (w *work) unmapped(ctx context.Context, m luks.Mapping) error {
	if m.Plain() {
		return luks.ClosePlain(ctx, w.host.Run, m.Name)
	}
	return luks.Close(ctx, w.host.Run, m.Name)
}

// unmount ends all mounts of a file system, the last first; bind mounts of its
// directories are among them.
func (w *work) unmount(ctx context.Context, number string, lost bool) error {
	mounts, err := filesystem.Mounted(w.host.Proc, number)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		if err := w.host.Units.Unmount(ctx, m.Point); err != nil && !lost {
			return errors.Join(w.held(number, false), fmt.Errorf("cannot unmount %s: %w", m.Point, err))
		}
	}
	left, err := filesystem.Mounted(w.host.Proc, number)
	if err != nil || len(left) == 0 {
		return err
	}
	if !lost {
		return errors.Join(w.held(number, false), fmt.Errorf("%s is still mounted", left[0].Point))
	}
	for _, m := range slices.Backward(left) {
		if _, err := w.host.Run.Run(ctx, run.Cmd{Name: "umount", Args: []string{"--lazy", m.Point}}); err != nil {
			return err
		}
	}
	return nil
}

// lostUnder tells whether a device below the one with this kernel name is gone.
func (w *work) lostUnder(kernel string) bool {
	below, err := raid.Members(w.host.EBS.Sys, kernel)
	if err != nil || len(below) == 0 {
		return true
	}
	for _, b := range below {
		if !w.holds(kernel, b) {
			return true
		}
		if a, err := w.array(b); err == nil && !a.intact() {
			return true
		}
	}
	return false
}

// arraysOf returns the arrays of a volume: those under its mapping, and those
// whose members say so.
func (w *work) arraysOf(volume string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(w.host.EBS.Sys, "block", "md*", "md"))
	if err != nil {
		return nil, err
	}
	var arrays []string
	for _, dir := range found {
		md := filepath.Base(filepath.Dir(dir))
		on, err := luks.Mapped(w.host.EBS.Sys, md)
		if err != nil {
			return nil, err
		}
		carries := slices.ContainsFunc(on, func(m luks.Mapping) bool { return m.Name == mappingName(volume) })
		to, _ := os.Readlink(filepath.Join(w.host.EBS.Dev, "md", volume))
		// A link alone is no proof: others may have an array of that name.
		name, known := w.setName(md)
		if carries || name == volume || filepath.Base(to) == md && !known {
			arrays = append(arrays, md)
		}
	}
	return arrays, nil
}

// setName returns the volume that an array belongs to by what a member says, ""
// if it is none of ours. It is not known if no member can be read any more.
func (w *work) setName(md string) (volume string, known bool) {
	members, err := raid.Members(w.host.EBS.Sys, md)
	if err != nil {
		return "", false
	}
	for _, m := range members {
		size, err := w.size(m)
		if err != nil {
			continue
		}
		f, err := direct.Open(filepath.Join(w.host.EBS.Dev, m))
		if err != nil {
			continue
		}
		sb, err := raid.ReadSuperblock(f, size)
		f.Close()
		if err == nil && sb != nil {
			return setOf(sb.Name), true
		}
	}
	return "", false
}
