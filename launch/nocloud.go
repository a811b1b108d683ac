package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// A NoCloud seed is a directory or a disk with the files user-data and
// meta-data, as cloud-init defines it for machines outside clouds:
// https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html

// byLabel is where udev shows disks by the labels of their file systems.
const byLabel = "/dev/disk/by-label"

// seedTypes are the file systems that a seed's disk may have.
var seedTypes = []string{"iso9660", "vfat"}

// host is what reading a seed needs of a machine.
type host struct {
	byLabel string
	tmp     string                               // where a place to mount is made
	mount   func(device, dir, kind string) error // for reading
	unmount func(dir string) error
}

var machine = host{
	byLabel: byLabel, tmp: "/run",
	mount: func(device, dir, kind string) error {
		return unix.Mount(device, dir, kind, unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	},
	unmount: func(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) },
}

// seed reads the seed at place: a directory, a disk's path, or a disk's label.
func (h host) seed(ctx context.Context, place string) (Data, error) {
	if err := ctx.Err(); err != nil {
		return Data{}, &Unread{why: err.Error(), cause: err}
	}
	path, err := h.find(place)
	if err != nil {
		return Data{}, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Data{}, unread(mayHeal, "there is no %s", path)
	case err != nil:
		return Data{}, unread(mayHeal, "%s", err)
	case info.IsDir():
		return readSeed(path)
	case info.Mode()&fs.ModeDevice == 0 || info.Mode()&fs.ModeCharDevice != 0:
		return Data{}, unread(willNot, "%s is neither a directory nor a disk", path)
	}
	return h.readDisk(path)
}

// find returns the path of a place. Labels of vfat are often in upper case.
func (h host) find(place string) (string, error) {
	if filepath.IsAbs(place) {
		return place, nil
	}
	for _, label := range []string{place, strings.ToUpper(place), strings.ToLower(place)} {
		path := filepath.Join(h.byLabel, label)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", unread(mayHeal, "no disk has the label %s", place)
}

// readDisk mounts a disk for reading, apart from everything else, for as long as
// it takes.
func (h host) readDisk(device string) (Data, error) {
	dir, err := os.MkdirTemp(h.tmp, "bootswain-seed-")
	if err != nil {
		return Data{}, unread(mayHeal, "%s", err)
	}
	defer os.Remove(dir)
	var all []error
	for _, kind := range seedTypes {
		err := h.mount(device, dir, kind)
		if err != nil {
			all = append(all, fmt.Errorf("as %s: %w", kind, err))
			continue
		}
		d, err := readSeed(dir)
		if gone := h.unmount(dir); gone != nil && err == nil {
			return Data{}, unread(mayHeal, "%s cannot be unmounted: %s", device, gone)
		}
		return d, err
	}
	return Data{}, unread(willNot, "%s cannot be mounted: %s", device, strings.ReplaceAll(errors.Join(all...).Error(), "\n", "; "))
}

// readSeed reads the files of a seed. One of the two may be missing; without
// both it is no seed, which is not the same as one that says nothing.
func readSeed(dir string) (Data, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Data{}, unread(mayHeal, "%s", err)
	}
	defer root.Close()
	d := Data{FetchedAt: time.Now().UTC()}
	var described bool
	var meta []byte
	if d.UserData, d.Given, err = seedFile(root, "user-data"); err != nil {
		return Data{}, err
	}
	if meta, described, err = seedFile(root, "meta-data"); err != nil {
		return Data{}, err
	}
	if !d.Given && !described {
		return Data{}, unread(willNot, "%s holds neither user-data nor meta-data: it is no NoCloud seed", dir)
	}
	if err := d.describe(meta); err != nil {
		return Data{}, unread(willNot, "meta-data of the seed: %s", err)
	}
	return d, nil
}

// seedFile reads a file that is in the seed itself.
func seedFile(root *os.Root, name string) (text []byte, found bool, err error) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, unread(willNot, "%s of the seed: %s", name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, false, unread(willNot, "%s of the seed is no file", name)
	}
	if text, err = io.ReadAll(io.LimitReader(f, maxUserData+1)); err != nil {
		return nil, false, unread(mayHeal, "%s of the seed: %s", name, err)
	}
	if len(text) > maxUserData {
		return nil, false, unread(willNot, "%s of the seed is longer than %d bytes", name, maxUserData)
	}
	return text, true, nil
}

// describe takes what meta-data says of the machine. Keys are a list, one text,
// or as EC2 has them: names with an openssh-key each.
func (d *Data) describe(meta []byte) error {
	var m struct {
		InstanceID string    `yaml:"instance-id"`
		PublicKeys yaml.Node `yaml:"public-keys"`
	}
	if err := yaml.Unmarshal(meta, &m); err != nil {
		return err
	}
	d.InstanceID = m.InstanceID
	var list []string
	var one string
	var named map[string]struct {
		Key string `yaml:"openssh-key"`
	}
	switch {
	case m.PublicKeys.Kind == 0:
	case m.PublicKeys.Decode(&list) == nil:
	case m.PublicKeys.Decode(&one) == nil:
		list = strings.Split(one, "\n")
	case m.PublicKeys.Decode(&named) == nil:
		for i := 0; i+1 < len(m.PublicKeys.Content); i += 2 {
			list = append(list, named[m.PublicKeys.Content[i].Value].Key)
		}
	default:
		return errors.New("public-keys is neither a list nor a mapping")
	}
	for _, key := range list {
		if key = strings.TrimSpace(key); key != "" {
			d.PublicKeys = append(d.PublicKeys, key)
		}
	}
	return nil
}
