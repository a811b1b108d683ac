// Package volume turns EBS volumes, or the machine's own disks, into one mounted
// file system, encrypted unless the launch data says otherwise: it looks at the
// devices, decides what is to be done, and does it, over arrays (package raid),
// encryption (luks) and file systems (filesystem).
//
// Observing never writes. Planning is a pure function of what is wanted and
// what was seen. A device is written to only when every byte of it was read and
// found zero, when a person released its content by fingerprint, or when it
// carries the mark of this very set's own unfinished making; each writing step
// makes sure of that again right before it writes. A set that once was ready is
// never made anew, whatever is wanted. Sizes and offsets are bytes. What people
// must read comes back as a *situation.Situation whose subject is the volume's
// name.
package volume

import (
	"context"
	"sync"
	"time"

	"bootswain/ebs"
	"bootswain/internal/run"
	"bootswain/secret"
)

// Host is the machine whose devices become volumes.
type Host struct {
	Run   run.Runner
	EBS   ebs.Host
	Units Units
	Keys  Keys
	Proc  string // "/proc"
	Root  string // "/": where mount points are

	// Elsewhere does what takes a key in another process, with the key from one of
	// secret.Sources, as Deed.With does here; nil does it in this one, with Keys.
	Elsewhere func(ctx context.Context, source []byte, d Deed) (recovery []byte, err error)

	// Immutable keeps anybody from writing into a bare mount point, or ends
	// that; nil means filesystem.SetImmutable.
	Immutable func(dir string, on bool) error

	// Found is where devices turned out to hold data, kept from one Converge to
	// the next, so that one that waits for a person is not read whole each time
	// it is tried again; nil keeps nothing.
	Found *Found

	// Absent says of volumes that are not there where they are, by volume id:
	// "missing 7m (EC2: attached to i-0old, shutting-down)". Volumes of which it
	// says nothing are missing.
	Absent map[string]ebs.Place

	// Database is the name of the volume that carries a database; it is noted
	// in the volume, so that a machine without launch data knows. "" for none.
	Database string
}

// Found remembers the offset of a byte that is not zero, by disk. The zero Found
// is ready for use, by several goroutines.
type Found struct{ offsets sync.Map }

// Units mounts file systems in such a way that they are unmounted in order at
// shutdown.
type Units interface {
	// Mount returns when the file system is mounted. Where it is mounted
	// already, it returns at once.
	Mount(ctx context.Context, m MountSpec) error
	// Unmount returns when nothing of ours is mounted at that place and nothing
	// would mount it again.
	Unmount(ctx context.Context, where string) error
}

// MountSpec is one mount.
type MountSpec struct {
	What    string // "/dev/mapper/bootswain-data"
	Where   string // "/srv/data"
	Type    string // "xfs"
	Options []string

	Required bool // bootswain-storage.target waits for it
}

// Keys gets the key from one of secret.Sources. What cannot be had is a LOCKED
// situation.
type Keys interface {
	Unseal(ctx context.Context, ciphertext []byte) (*secret.Key, error)
}

// Progress is a step that begins, goes on or has ended.
type Progress struct {
	Volume      string
	Step        string // what is being done, in words
	Done, Total int64  // bytes, where the step counts them; else 0
	Ended       bool
	Failed      bool          // what has ended was not done
	Took        time.Duration // so far, of a step that counts bytes; else of one that has ended
}

// Rate is how many bytes a second the step does on the whole; 0 where it does
// not count them.
func (p Progress) Rate() int64 {
	if p.Took <= 0 {
		return 0
	}
	return int64(float64(p.Done) / p.Took.Seconds())
}
