package health

import (
	"net"
	"sync"
)

// limited accepts a bounded number of connections at a time; more of them wait
// in the kernel's backlog.
type limited struct {
	net.Listener
	taken  chan struct{} // one element for each open connection
	closed chan struct{}
	close  func()
}

func newLimited(l net.Listener, n int) *limited {
	closed := make(chan struct{})
	return &limited{Listener: l, taken: make(chan struct{}, n), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.taken <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.taken
		return nil, err
	}
	return &counted{Conn: conn, free: sync.OnceFunc(func() { <-l.taken })}, nil
}

func (l *limited) Close() error {
	l.close()
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
