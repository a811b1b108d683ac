package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bootswain/filesystem"
	"bootswain/luks"
	"bootswain/spec"
)

// makeFilesystem makes the file system of an unfinished set.
type makeFilesystem struct {
	at
	kind string
}

func (m *makeFilesystem) String() string {
	text := map[string]string{"xfs": "make an XFS", "ext4": "make an ext4"}[m.kind] + " file system for " + m.s.Name
	if m.s.NoXFS {
		text += ", since mkfs.xfs is not installed"
	}
	return text
}

func (m *makeFilesystem) Apply(ctx context.Context) error {
	if err := m.same(); err != nil {
		return err
	}
	_, path, err := m.target()
	if err != nil {
		return err
	}
	if err := m.unready(path); err != nil {
		return err
	}
	mapping, err := m.mapping()
	if err != nil {
		return err
	}
	if err := free(mapping.Path); err != nil {
		return err
	}
	label := m.s.Name
	if len(label) > filesystem.MaxLabel {
		label = ""
	}
	// What a mapping of new random key shows is noise; mkfs need not look at it.
	o := filesystem.Options{Device: mapping.Path, UUID: m.s.uuid(kindFilesystem), Label: label, Reclaim: true}
	if m.kind == "ext4" {
		return filesystem.MakeExt4(ctx, m.host().Run, o)
	}
	return filesystem.MakeXFS(ctx, m.host().Run, o)
}

// markReady ends the making: what was made is looked at, is on the devices, the
// claims go, and the header, if there is one that somebody can open again, says
// ready.
type markReady struct {
	at
	token luks.Token
}

func (m *markReady) String() string {
	if m.s.Mode != spec.EncryptionSealed {
		return "remove the claims, so that " + m.s.Name + " is ready"
	}
	return "note in the header that " + m.s.Name + " is ready"
}

func (m *markReady) Apply(ctx context.Context) error {
	mapping, err := m.mapping()
	if err != nil {
		return err
	}
	fs := observeFilesystem(mapping.Path, 0, 1<<62)
	if fs == nil || fs.Fault != "" || fs.UUID != m.s.uuid(kindFilesystem) {
		return errors.New("mkfs said that it was done, and the file system is not there")
	}
	if err := filesystem.Sync(mapping.Path); err != nil {
		return err
	}
	if err := m.unclaim(); err != nil || m.s.Mode != spec.EncryptionSealed {
		return err
	}
	t := m.token
	t.Intent = luks.Ready
	return m.setToken(ctx, t)
}

// mount mounts a ready set's file system.
type mount struct {
	at
	spec MountSpec
}

func (m *mount) String() string { return fmt.Sprintf("mount %s on %s", m.s.Name, m.spec.Where) }

func (m *mount) Apply(ctx context.Context) error {
	mapping, err := m.mapping()
	if err != nil {
		return err
	}
	switch fs := observeFilesystem(mapping.Path, 0, 1<<62); {
	case fs == nil:
		return m.s.noFilesystem("no file system")
	case fs.Fault != "":
		return m.s.noFilesystem("a file system that cannot be trusted (" + fs.Fault + ")")
	case fs.Type != m.spec.Type:
		return m.s.noFilesystem(fs.Type + " where " + m.spec.Type + " was made")
	}
	if err := m.point(); err != nil {
		return err
	}
	if err := m.host().Units.Mount(ctx, m.spec); err != nil {
		return err
	}
	mounts, err := filesystem.Mounted(m.host().Proc, mapping.Number)
	if err != nil {
		return err
	}
	if !(State{Mounts: mounts}).mountedAt(m.spec.Where) {
		return fmt.Errorf("the mount unit says that it is mounted, and the kernel does not")
	}
	return nil
}

// point makes the mount point, and keeps everybody from writing into it while
// nothing is mounted there: a database that starts too early must fail, not
// begin anew on the root disk.
func (m *mount) point() error {
	there, err := filesystem.MountedAt(m.host().Proc, m.spec.Where)
	if err != nil || len(there) > 0 {
		return err
	}
	dir := filepath.Join(m.host().Root, m.spec.Where)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return err // somebody's files; they are hidden, not locked
	}
	if m.host().Immutable != nil {
		return m.host().Immutable(dir, true)
	}
	return filesystem.SetImmutable(dir, true)
}
