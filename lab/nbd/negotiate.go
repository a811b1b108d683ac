package nbd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// negotiate carries out the handshake (fixed newstyle). It returns the disk
// that the client chose, or nil if it left without choosing.
func (s *Server) negotiate(rw io.ReadWriter) (d *Disk, structured bool, err error) {
	hello := binary.BigEndian.AppendUint64(nil, magicInit)
	hello = binary.BigEndian.AppendUint64(hello, magicOption)
	hello = binary.BigEndian.AppendUint16(hello, flagFixedNewstyle|flagNoZeroes)
	if _, err := rw.Write(hello); err != nil {
		return nil, false, err
	}
	var flags [4]byte
	if _, err := io.ReadFull(rw, flags[:]); err != nil {
		return nil, false, err
	}
	noZeroes := binary.BigEndian.Uint32(flags[:])&flagNoZeroes != 0
	for {
		o, err := readOption(rw)
		if err != nil {
			return nil, false, err
		}
		switch o.ID {
		case optStructuredReply:
			structured = true
			err = reply(rw, o.ID, repAck, nil)
		case optGo, optInfo:
			d, err = s.inform(rw, o)
			if err == nil && d != nil && o.ID == optGo {
				return d, structured, nil
			}
		case optExportName:
			return s.exportName(rw, string(o.Data), noZeroes)
		case optAbort:
			return nil, false, reply(rw, o.ID, repAck, nil)
		default:
			err = reply(rw, o.ID, repErrUnsup, nil)
		}
		if err != nil {
			return nil, false, err
		}
	}
}

func readOption(r io.Reader) (option, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return option{}, err
	}
	if m := binary.BigEndian.Uint64(head[:]); m != magicOption {
		return option{}, fmt.Errorf("option magic is %#x", m)
	}
	o := option{ID: binary.BigEndian.Uint32(head[8:])}
	n := binary.BigEndian.Uint32(head[12:])
	if n > maxOption+8 {
		return option{}, fmt.Errorf("option with %d bytes", n)
	}
	o.Data = make([]byte, n)
	_, err := io.ReadFull(r, o.Data)
	return o, err
}

func reply(w io.Writer, opt, typ uint32, data []byte) error {
	b := binary.BigEndian.AppendUint64(nil, magicReply)
	b = binary.BigEndian.AppendUint32(b, opt)
	b = binary.BigEndian.AppendUint32(b, typ)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	_, err := w.Write(append(b, data...))
	return err
}

// inform answers NBD_OPT_GO and NBD_OPT_INFO. The disk is nil if the client
// was told that it cannot have it.
func (s *Server) inform(w io.Writer, o option) (*Disk, error) {
	name, infos, err := parseGo(o.Data)
	if err != nil {
		return nil, reply(w, o.ID, repErrInvalid, []byte(err.Error()))
	}
	d := s.disk(name)
	if d == nil {
		return nil, reply(w, o.ID, repErrUnknown, []byte("no volume "+name))
	}
	export := binary.BigEndian.AppendUint16(nil, infoExport)
	if err := reply(w, o.ID, repInfo, append(export, d.describe()...)); err != nil {
		return nil, err
	}
	for _, kind := range infos {
		if kind != infoBlockSize {
			continue
		}
		sizes := binary.BigEndian.AppendUint16(nil, infoBlockSize)
		for _, n := range []uint32{blockSize, 4096, maxPayload} { // least, preferred, most
			sizes = binary.BigEndian.AppendUint32(sizes, n)
		}
		if err := reply(w, o.ID, repInfo, sizes); err != nil {
			return nil, err
		}
	}
	return d, reply(w, o.ID, repAck, nil)
}

// exportName answers the oldest way to choose an export, which has no way to
// say no but to hang up.
func (s *Server) exportName(w io.Writer, name string, noZeroes bool) (*Disk, bool, error) {
	d := s.disk(name)
	if d == nil {
		return nil, false, errors.New("no volume " + name)
	}
	b := d.describe()
	if !noZeroes {
		b = append(b, make([]byte, 124)...)
	}
	_, err := w.Write(b)
	return d, false, err
}

// describe returns the disk's size and what it can do, as the wire has it.
func (d *Disk) describe() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(d.size))
	return binary.BigEndian.AppendUint16(b, transHasFlags|transFlush|transFUA|transWriteZeros)
}
