package image

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
)

// The root disk: an MBR, a gap, one partition. It is sparse.
const (
	diskBytes   = 4 << 30
	sectorBytes = 512
	partStart   = 2048 // sectors; 1 MiB, as every partitioner aligns
	diskID      = 0x6c616200
)

// kernelAppend: the kernel finds an MBR partition by the disk's signature and
// the partition's number. rw, because nothing would remount a root that no
// fstab names; its journal is replayed in any case. The kernel is as patient with
// NVMe devices as EC2's guide asks of an image ("I/O operation timeout"): its own
// 30 s turn a pause of a volume into errors. On a busy host it finds that an
// emulated timer interrupt comes too late, and panics, if it checks.
const kernelAppend = "root=PARTUUID=6c616200-01 rootfstype=ext4 rw nvme_core.io_timeout=4294967295 no_timer_check"

// mke2fsArgs: the lazy options write fewer zeros, and nothing is discarded in
// a file that is a hole already.
var mke2fsArgs = []string{"-q", "-F", "-t", "ext4", "-L", "root", "-m", "0",
	"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,offset=" + strconv.Itoa(partStart*sectorBytes)}

// makeDisk makes a disk image whose one partition holds tree. Nothing is
// mounted: mke2fs copies.
func makeDisk(ctx context.Context, log io.Writer, tree, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(diskBytes); err != nil {
		return err
	}
	if _, err := f.WriteAt(bootRecord(diskBytes/sectorBytes), 0); err != nil {
		return err
	}
	size := fmt.Sprintf("%dk", (diskBytes-partStart*sectorBytes)/1024)
	args := append(append([]string{}, mke2fsArgs...), "-d", tree, path, size)
	if err := command(ctx, log, "mke2fs", args...); err != nil {
		return err
	}
	return f.Close()
}

// bootRecord is an MBR without boot code, whose first partition (type 83,
// Linux) takes the disk from partStart on. Cylinder addresses are the "too
// large" mark, as every partitioner writes it.
func bootRecord(sectors uint32) []byte {
	b := make([]byte, sectorBytes)
	binary.LittleEndian.PutUint32(b[440:], diskID)
	p := b[446:]
	copy(p[1:], []byte{0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff})
	binary.LittleEndian.PutUint32(p[8:], partStart)
	binary.LittleEndian.PutUint32(p[12:], sectors-partStart)
	b[510], b[511] = 0x55, 0xaa
	return b
}
