package filesystem

import (
	"context"
	"encoding/binary"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"bootswain/internal/run"
)

// growTimeout bounds one growing: it writes the headers of new groups, some MiB
// for each TiB.
const growTimeout = 30 * time.Minute

// GrowXFS gives a mounted XFS file system all the room of its device. One that
// has it stays as it is.
func GrowXFS(ctx context.Context, r run.Runner, mountPoint string) error {
	_, err := r.Run(ctx, run.Cmd{Name: "xfs_growfs", Args: []string{"-d", mountPoint}, Timeout: growTimeout})
	return err
}

// GrowExt4 gives a mounted ext4 file system all the room of its device. One that
// has it stays as it is.
func GrowExt4(ctx context.Context, r run.Runner, device string) error {
	_, err := r.Run(ctx, run.Cmd{Name: "resize2fs", Args: []string{device}, Timeout: growTimeout})
	return err
}

// geometry is XFS_IOC_FSGEOMETRY_V1 of xfs/xfs_fs.h, which answers with the block
// size in the first four bytes and the number of blocks at byte 32 of 112.
const geometry = 0x80705864

// MountedSize returns how large the kernel takes a mounted file system to be. A
// superblock that was changed by growing reaches the device later. 0 means that
// the kernel would not say; what the device says has to do then.
func MountedSize(mountPoint, device string) int64 {
	dir, err := os.Open(mountPoint)
	if err != nil {
		return 0
	}
	defer dir.Close()
	var answer [112]byte
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), geometry, uintptr(unsafe.Pointer(&answer[0])))
	if errno == 0 {
		return int64(binary.NativeEndian.Uint32(answer[:])) * int64(binary.NativeEndian.Uint64(answer[32:]))
	}
	// ext4 keeps its superblock where reading the device through the cache finds
	// it.
	f, err := os.Open(device)
	if err != nil {
		return 0
	}
	defer f.Close()
	sb, err := ReadSuperblock(f)
	if err != nil || sb == nil {
		return 0
	}
	return sb.Size
}
