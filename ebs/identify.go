package ebs

import (
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Identify Controller as EBS fills it in (NVM Express Base Specification,
// figure "Identify Controller data structure"; the vendor's part as read by
// amazon-ec2-utils, ebsnvme-id).
const (
	pageBytes     = 4096   // size of the answer
	vendorAmazon  = 0x1d0f // bytes 0–1, PCI vendor id
	nameOffset    = 3072   // start of the vendor's part
	nameBytes     = 32     // padded with spaces
	opIdentify    = 0x06   // admin command opcode
	cnsController = 1      // CDW10: identify the controller
	answerMillis  = 5000
)

// ioctlAdmin is NVME_IOCTL_ADMIN_CMD of linux/nvme_ioctl.h.
const ioctlAdmin = 0xC0484E41

// adminCmd is struct nvme_passthru_cmd of linux/nvme_ioctl.h.
type adminCmd struct {
	opcode, flags     uint8
	rsvd1             uint16
	nsid, cdw2, cdw3  uint32
	metadata, addr    uint64
	metadataLen       uint32
	dataLen           uint32
	cdw10, cdw11      uint32
	cdw12, cdw13      uint32
	cdw14, cdw15      uint32
	timeoutMs, result uint32
}

var requested = regexp.MustCompile(`^(/dev/)?[A-Za-z0-9_-]+$`)

// requestedName asks a device for the name under which it was attached.
func (h Host) requestedName(path string) (string, error) {
	page, err := h.identify(path)
	if err != nil {
		return "", fmt.Errorf("cannot ask %s for its device name: %w", path, err)
	}
	return parseIdentify(page)
}

func (h Host) identify(path string) ([]byte, error) {
	if h.Identify != nil {
		return h.Identify(path)
	}
	return identify(path)
}

// parseIdentify returns the device name in an Identify Controller page as
// "/dev/…", or "" if the controller is not Amazon's or gives none. The name is
// written there as "sdf" or as "/dev/sdf", whichever the attach request said.
func parseIdentify(page []byte) (string, error) {
	if len(page) != pageBytes {
		return "", fmt.Errorf("answer to Identify Controller has %d bytes, not %d", len(page), pageBytes)
	}
	if binary.LittleEndian.Uint16(page) != vendorAmazon {
		return "", nil
	}
	raw := string(page[nameOffset : nameOffset+nameBytes])
	name := strings.TrimRight(raw, " \x00")
	if name == "" {
		return "", nil
	}
	if !requested.MatchString(name) {
		return "", fmt.Errorf("answer to Identify Controller gives the device name %q", raw)
	}
	return deviceName(name), nil
}

// deviceName brings a device name to the one form "/dev/sdf".
func deviceName(name string) string {
	return "/dev/" + strings.TrimPrefix(name, "/dev/")
}

// identify sends Identify Controller to the controller behind a device node.
func identify(path string) ([]byte, error) {
	return ask(path, adminCmd{opcode: opIdentify, cdw10: cnsController})
}

// ask sends the controller behind a device node an admin command whose answer
// has pageBytes.
func ask(path string, cmd adminCmd) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := make([]byte, pageBytes)
	var pin runtime.Pinner
	pin.Pin(&page[0])
	defer pin.Unpin()
	cmd.addr, cmd.dataLen, cmd.timeoutMs = uint64(uintptr(unsafe.Pointer(&page[0]))), pageBytes, answerMillis
	status, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ioctlAdmin, uintptr(unsafe.Pointer(&cmd)))
	switch {
	case errno != 0:
		return nil, errno
	case status != 0:
		return nil, fmt.Errorf("NVMe status %#x", status)
	}
	return page, nil
}
