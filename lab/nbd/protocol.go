package nbd

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Constants of the NBD protocol, as its specification names them:
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
const (
	magicInit       = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption     = 0x49484156454f5054 // "IHAVEOPT"
	magicReply      = 0x0003e889045565a9
	magicRequest    = 0x25609513
	magicSimple     = 0x67446698
	magicStructured = 0x668e33ef

	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1

	optExportName      = 1
	optAbort           = 2
	optInfo            = 6
	optGo              = 7
	optStructuredReply = 8

	repAck        = 1
	repInfo       = 3
	repErrUnsup   = 1<<31 + 1
	repErrInvalid = 1<<31 + 3
	repErrUnknown = 1<<31 + 6

	infoExport    = 0
	infoBlockSize = 3

	transHasFlags   = 1 << 0
	transFlush      = 1 << 2
	transFUA        = 1 << 3
	transWriteZeros = 1 << 6

	cmdFlagFUA = 1 << 0

	cmdRead       = 0
	cmdWrite      = 1
	cmdDisconnect = 2
	cmdFlush      = 3
	cmdWriteZeros = 6

	chunkDone = 1 << 0

	chunkData  = 1
	chunkHole  = 2
	chunkError = 1<<15 + 1

	errnoIO      = 5
	errnoInvalid = 22
	errnoNoSpace = 28
)

const (
	blockSize  = 512
	maxOption  = 4096     // an export name has at most 4096 bytes
	maxPayload = 32 << 20 // what QEMU sends and asks for at most
)

// request is one command of the transmission phase.
type request struct {
	Flags, Type uint16
	Cookie      uint64
	Offset      uint64
	Length      uint32
}

const requestSize = 28

// parseRequest reads a request header; payload, if any, follows it on the wire.
func parseRequest(b []byte) (request, error) {
	if len(b) != requestSize {
		return request{}, fmt.Errorf("a request header has %d bytes, not %d", len(b), requestSize)
	}
	if m := binary.BigEndian.Uint32(b); m != magicRequest {
		return request{}, fmt.Errorf("request magic is %#x", m)
	}
	r := request{
		Flags:  binary.BigEndian.Uint16(b[4:]),
		Type:   binary.BigEndian.Uint16(b[6:]),
		Cookie: binary.BigEndian.Uint64(b[8:]),
		Offset: binary.BigEndian.Uint64(b[16:]),
		Length: binary.BigEndian.Uint32(b[24:]),
	}
	if (r.Type == cmdRead || r.Type == cmdWrite) && r.Length > maxPayload {
		return request{}, fmt.Errorf("request for %d bytes, more than %d", r.Length, maxPayload)
	}
	return r, nil
}

// option is one step of the negotiation.
type option struct {
	ID   uint32
	Data []byte
}

var errShort = errors.New("option data ends early")

// parseGo reads the data of NBD_OPT_GO and NBD_OPT_INFO: the export's name and
// the kinds of information that the client asks for.
func parseGo(b []byte) (name string, infos []uint16, err error) {
	if len(b) < 4 {
		return "", nil, errShort
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[4:]
	if uint64(len(b)) < n+2 {
		return "", nil, errShort
	}
	name, b = string(b[:n]), b[n:]
	count := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if len(b) != 2*count {
		return "", nil, errShort
	}
	for ; len(b) > 0; b = b[2:] {
		infos = append(infos, binary.BigEndian.Uint16(b))
	}
	return name, infos, nil
}
