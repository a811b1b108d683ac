package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Sockets are where the supported packages' servers listen on this machine:
// Debian and Ubuntu, then Amazon Linux and its relatives.
var Sockets = []string{"/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock"}

// Ping asks the server behind a Unix socket for its version. It needs no
// account: a server says its version before it asks who is there.
func Ping(ctx context.Context, socket string) (version string, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("cannot connect: %w", err)
	}
	defer conn.Close()
	// A server that accepts but does not speak is cut off with the context.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	version, err = readGreeting(conn)
	if err != nil {
		return "", err
	}
	return version, leave(conn)
}

// maxGreeting bounds what is read of a greeting; a true one is under 200 bytes.
const maxGreeting = 4096

// readGreeting reads the first packet of a server and returns the version in
// it. The formats are "Protocol::HandshakeV10" and "ERR_Packet" of the MySQL
// client/server protocol.
func readGreeting(r io.Reader) (string, error) {
	var head [4]byte // three bytes of length, little-endian, and a sequence number
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", fmt.Errorf("cannot read the server's greeting: %w", err)
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if length == 0 || length > maxGreeting {
		return "", fmt.Errorf("no database answers here: a greeting of %d bytes", length)
	}
	packet := make([]byte, length)
	if _, err := io.ReadFull(r, packet); err != nil {
		return "", fmt.Errorf("cannot read the server's greeting: %w", err)
	}
	switch packet[0] {
	case 10:
		version, _, found := bytes.Cut(packet[1:], []byte{0})
		if !found || len(version) == 0 {
			return "", errors.New("no database answers here: a greeting without a version")
		}
		return printable(version), nil
	case 0xff:
		if len(packet) < 3 {
			return "", errors.New("the server turns connections away without a word")
		}
		return "", fmt.Errorf("the server turns connections away: error %d: %s",
			binary.LittleEndian.Uint16(packet[1:]), printable(packet[3:]))
	default:
		return "", fmt.Errorf("no database answers here: a greeting of protocol %d", packet[0])
	}
}

// printable makes a server's words fit for a terminal.
func printable(b []byte) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, b))
}

// leave ends the connection with COM_QUIT and waits for the server to close it.
func leave(conn net.Conn) error {
	if _, err := conn.Write([]byte{1, 0, 0, 1, 1}); err != nil {
		return fmt.Errorf("cannot leave the server: %w", err)
	}
	_, err := io.Copy(io.Discard, io.LimitReader(conn, maxGreeting))
	return err
}
