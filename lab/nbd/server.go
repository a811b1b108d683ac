// Package nbd serves the volumes of a laboratory over the NBD protocol, each
// from a sparse file, so that a power cut can lose what was not flushed and a
// volume can fail, slow down or hang.
//
// It never syncs its files: they outlive the guest, not the host. All sizes
// and offsets are in bytes. It serves one client, QEMU, and trusts it with
// the names of all exports.
package nbd

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Server serves disks by name. The zero Server has none.
type Server struct {
	mu    sync.Mutex
	disks map[string]*Disk
}

// Add offers the disk under a name, in place of any other of that name.
func (s *Server) Add(name string, d *Disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disks == nil {
		s.disks = map[string]*Disk{}
	}
	s.disks[name] = d
}

func (s *Server) disk(name string) *Disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disks[name]
}

// Serve answers clients of l until ctx ends, and returns when the last of them
// is gone. A client that breaks the protocol loses its connection.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		clients.Go(func() { s.serve(ctx, c) })
	}
}

// serve answers one client until it leaves, breaks the protocol or ctx ends.
func (s *Server) serve(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	d, structured, err := s.negotiate(nc)
	if err != nil || d == nil {
		return
	}
	c := &conn{rw: nc, disk: d, structured: structured}
	c.transmit(ctx)
}
