package volume

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/direct"
	"bootswain/luks"
	"bootswain/spec"
)

// observeLayers looks at header, mapping, file system and mounts.
func (w *work) observeLayers(s *State, want spec.Volume) error {
	if s.Mode == spec.EncryptionNone {
		if err := s.observePlain(); err != nil {
			return err
		}
	}
	if s.Filesystem == nil {
		if err := w.observeHeader(s); err != nil {
			return err
		}
	}
	kernel, _, _ := s.target()
	if kernel != "" {
		header := ""
		if s.Header != nil {
			header = s.Header.UUID
		}
		if err := w.observeMapping(s, kernel, header); err != nil {
			return err
		}
	}
	if s.Mapping != nil {
		s.Filesystem = observeFilesystem(s.Mapping.Path, 0, 1<<62)
		var err error
		if s.Mounts, err = filesystem.Mounted(w.host.Proc, s.Mapping.Number); err != nil {
			return err
		}
		w.observeMountedSize(s)
	}
	there, err := filesystem.MountedAt(w.host.Proc, want.Mount)
	if err != nil || len(there) == 0 {
		return err
	}
	if top := there[len(there)-1]; s.Mapping == nil || top.Number != s.Mapping.Number {
		s.Occupied = fmt.Sprintf("%s (%s)", top.Source, top.Type)
	}
	return nil
}

// observeMapping finds the mapping on the device with that kernel name that is
// the opened header with that UUID, "" for none.
func (w *work) observeMapping(s *State, kernel, header string) error {
	on, err := luks.Mapped(w.host.EBS.Sys, kernel)
	if err != nil {
		return err
	}
	for _, m := range on {
		opens := header != "" && m.Opens(header)
		if s.Mode == spec.EncryptionNone {
			opens = m.Plain()
		}
		if m.Name != mappingName(s.Name) || !opens {
			s.OtherUser = fmt.Sprintf("%s (%s)", m.Name, m.Kernel)
			continue
		}
		number, err := os.ReadFile(filepath.Join(w.host.EBS.Sys, "block", m.Kernel, "dev"))
		if err != nil {
			return err
		}
		size, err := w.size(m.Kernel)
		if err != nil {
			return err
		}
		s.Mapping = &Mapping{Mapping: m, Size: size, Path: filepath.Join(w.host.EBS.Dev, m.Kernel), Number: strings.TrimSpace(string(number))}
		s.Orphan, s.OrphanLost = nil, false
	}
	return nil
}

// observeHeader reads the header on the array or device. While the array does
// not run it is read from the member with role 0: both copies lie in the first
// chunk, so a plan can be made before anything is started.
func (w *work) observeHeader(s *State) error {
	path, at, size := s.headerPlace()
	if path == "" {
		return nil
	}
	return observeHeaderAt(s, path, at, size)
}

func observeHeaderAt(s *State, path string, at, size int64) error {
	f, err := direct.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	header, err := luks.Read(io.NewSectionReader(f, at, size))
	switch {
	case errors.Is(err, luks.ErrNone):
		return nil
	case errors.Is(err, luks.ErrDamaged), errors.Is(err, luks.ErrNewer):
		s.HeaderErr = err
		return nil
	case err != nil:
		return err
	}
	s.Header = header
	if !isOurs(header) || header.Label != s.Name {
		s.HeaderErr = fmt.Errorf("the LUKS header on it is of %q %q, not of this volume", header.Subsystem, header.Label)
		return nil
	}
	s.Token, s.TokenErr = header.Token()
	return nil
}

// headerPlace returns where the header, or a plain volume's file system, is to
// be read; "" for nowhere.
func (s State) headerPlace() (path string, at, size int64) {
	if _, path, size = s.target(); path != "" {
		if kind := s.Devices[0].Content.Kind; !s.striped() && kind != KindEncrypted && kind != KindPlain {
			return "", 0, 0
		}
		return path, 0, size
	}
	if s.members() != nil {
		return "", 0, 0
	}
	for _, d := range s.Devices {
		if m := d.Content.Member; m.Role == 0 {
			return d.Path, m.DataOffset, min(m.ChunkBytes, m.DataSize)
		}
	}
	return "", 0, 0
}

// observeFilesystem reads the superblock of what is on a device, from at on.
func observeFilesystem(path string, at, size int64) *Filesystem {
	f, err := direct.Open(path)
	if err != nil {
		return &Filesystem{Fault: err.Error()}
	}
	defer f.Close()
	sb, err := filesystem.ReadSuperblock(io.NewSectionReader(f, at, size))
	switch {
	case err != nil:
		return &Filesystem{Fault: err.Error()}
	case sb == nil:
		return nil
	case sb.Unfinished:
		return &Filesystem{Superblock: *sb, Fault: "mkfs was cut off"}
	}
	return &Filesystem{Superblock: *sb}
}

// members returns nil if all devices are there and are, one a role, the members
// of one array of this volume, and else what is wrong with them.
func (s State) members() error {
	if len(s.Devices) != s.Wanted || !s.striped() {
		return errors.New("it has not all its devices")
	}
	roles := map[int]string{}
	for _, d := range s.Devices {
		if d.Content.Kind != KindMember {
			return fmt.Errorf("%s is no member", name(d.Device))
		}
		m, first := d.Content.Member, s.Devices[0].Content.Member
		switch {
		case m.UUID != first.UUID:
			return fmt.Errorf("%s and %s belong to different sets %q (%s and %s)", name(s.Devices[0].Device), name(d.Device), s.Name, short(first.RFC()), short(m.RFC()))
		case m.RaidDisks != s.Wanted:
			return fmt.Errorf("%s is one of %d devices of the set, and %d are named", name(d.Device), m.RaidDisks, s.Wanted)
		case m.Role < 0 || m.Role >= m.RaidDisks:
			return fmt.Errorf("%s has no place in its array", name(d.Device))
		case roles[m.Role] != "":
			return fmt.Errorf("%s and %s both say that they are device %d of %d, as a volume and its copy do", roles[m.Role], name(d.Device), m.Role+1, m.RaidDisks)
		}
		roles[m.Role] = name(d.Device)
	}
	return nil
}
