package nbd

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// client is the least NBD client that a test needs: one request at a time or,
// with send and wait, several.
type client struct {
	t *testing.T
	net.Conn
	size uint64
}

const diskSize = 1 << 20

// serve starts a server for one disk and connects to it.
func serve(t *testing.T) (*Disk, *client) {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "disk"), diskSize)
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	s.Add("vol-1", d)
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.serve(ctx, theirs); close(done) }()
	t.Cleanup(func() { cancel(); ours.Close(); <-done; d.Close() })
	c := &client{t: t, Conn: ours}
	c.open("vol-1")
	return d, c
}

func (c *client) read(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) open(name string) {
	c.t.Helper()
	c.read(18)
	c.write([]byte{0, 0, 0, flagFixedNewstyle | flagNoZeroes})
	c.write(optionBytes(optGo, goData(name)))
	for {
		h := c.read(20)
		data := c.read(int(binary.BigEndian.Uint32(h[16:])))
		switch typ := binary.BigEndian.Uint32(h[12:]); typ {
		case repInfo:
			c.size = binary.BigEndian.Uint64(data[2:])
		case repAck:
			return
		default:
			c.t.Fatalf("reply %#x: %s", typ, data)
		}
	}
}

func optionBytes(id uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, magicOption)
	b = binary.BigEndian.AppendUint32(b, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func goData(name string, infos ...uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(infos)))
	for _, i := range infos {
		b = binary.BigEndian.AppendUint16(b, i)
	}
	return b
}

func requestBytes(typ uint16, cookie uint64, off, n int64) []byte {
	b := binary.BigEndian.AppendUint32(nil, magicRequest)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint64(b, cookie)
	b = binary.BigEndian.AppendUint64(b, uint64(off))
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// do carries out one request and returns what was read and the error number.
func (c *client) do(typ uint16, off, n int64, data []byte) ([]byte, uint32) {
	c.t.Helper()
	c.write(append(requestBytes(typ, 7, off, n), data...))
	return c.wait(7, typ, n)
}

// wait reads one simple reply.
func (c *client) wait(cookie uint64, typ uint16, n int64) ([]byte, uint32) {
	c.t.Helper()
	h := c.read(16)
	if got := fmt.Sprintf("%x %d", binary.BigEndian.Uint32(h), binary.BigEndian.Uint64(h[8:])); got != fmt.Sprintf("%x %d", magicSimple, cookie) {
		c.t.Fatalf("reply begins %s", got)
	}
	errno := binary.BigEndian.Uint32(h[4:])
	if typ == cmdRead && errno == 0 {
		return c.read(int(n)), 0
	}
	return nil, errno
}
