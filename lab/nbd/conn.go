package nbd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// conn is one client in the transmission phase.
type conn struct {
	rw         net.Conn
	disk       *Disk
	structured bool // the client understands structured replies

	mu sync.Mutex // of writing to rw
}

// transmit carries out requests, each on its own, until the client leaves.
func (c *conn) transmit(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var pending sync.WaitGroup
	defer pending.Wait()
	defer cancel()
	in := bufio.NewReaderSize(c.rw, 64<<10)
	head := make([]byte, requestSize)
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		r, err := parseRequest(head)
		if err != nil || r.Type == cmdDisconnect {
			return
		}
		var payload []byte
		if r.Type == cmdWrite {
			payload = make([]byte, r.Length)
			if _, err := io.ReadFull(in, payload); err != nil {
				return
			}
		}
		pending.Go(func() {
			if err := c.carryOut(ctx, r, payload); err != nil {
				c.rw.Close() // ends the loop above
			}
		})
	}
}

// carryOut does what the request asks and answers it. A request that ctx ended
// gets no answer: nobody is there to read it.
func (c *conn) carryOut(ctx context.Context, r request, payload []byte) error {
	off, n := int64(r.Offset), int64(r.Length)
	if r.Type != cmdFlush && (off < 0 || n == 0 || off > c.disk.size-n) {
		return c.answer(r, errnoInvalid)
	}
	var err error
	switch r.Type {
	case cmdRead:
		var data []byte
		if data, err = c.disk.read(ctx, off, n); err == nil {
			return c.answerRead(r, data)
		}
	case cmdWrite:
		err = c.disk.write(ctx, off, n, payload, r.Flags&cmdFlagFUA != 0)
	case cmdWriteZeros:
		err = c.disk.write(ctx, off, n, nil, r.Flags&cmdFlagFUA != 0)
	case cmdFlush:
		err = c.disk.flush(ctx)
	default:
		return c.answer(r, errnoInvalid)
	}
	switch {
	case err == nil:
		return c.answer(r, 0)
	case errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, unix.ENOSPC):
		return c.answer(r, errnoNoSpace)
	default:
		return c.answer(r, errnoIO)
	}
}

// answer ends a request with an error number, 0 for success.
func (c *conn) answer(r request, errno uint32) error {
	if c.structured && r.Type == cmdRead {
		b := chunk(r, chunkError, 6)
		b = binary.BigEndian.AppendUint32(b, errno)
		return c.send(append(b, 0, 0)) // no message
	}
	return c.send(simple(r, errno))
}

// answerRead sends the bytes that were read; nil stands for zeros, which a
// client that knows structured replies gets without their being sent.
func (c *conn) answerRead(r request, data []byte) error {
	if c.structured && data == nil {
		b := chunk(r, chunkHole, 12)
		b = binary.BigEndian.AppendUint64(b, r.Offset)
		return c.send(binary.BigEndian.AppendUint32(b, r.Length))
	}
	if data == nil {
		data = make([]byte, r.Length)
	}
	if c.structured {
		b := chunk(r, chunkData, 8+r.Length)
		return c.send(binary.BigEndian.AppendUint64(b, r.Offset), data)
	}
	return c.send(simple(r, 0), data)
}

func simple(r request, errno uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, magicSimple)
	b = binary.BigEndian.AppendUint32(b, errno)
	return binary.BigEndian.AppendUint64(b, r.Cookie)
}

// chunk starts a structured reply that consists of this chunk alone.
func chunk(r request, typ uint16, length uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, magicStructured)
	b = binary.BigEndian.AppendUint16(b, chunkDone)
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint64(b, r.Cookie)
	return binary.BigEndian.AppendUint32(b, length)
}

func (c *conn) send(parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	buffers := net.Buffers(parts)
	_, err := buffers.WriteTo(c.rw)
	return err
}
