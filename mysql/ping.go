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
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	version, err = readGreeting(conn)
	if err != nil {
		return "", err
	}
	leave(conn)
	return version, nil
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
		// MariaDB says a version that old replicas understand before its own.
		version = bytes.TrimPrefix(version, []byte("5.5.5-"))
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

// goodbye is the client's half of the handshake, "Protocol::HandshakeResponse41",
// for an account that need not exist and with a method that no server has.
var goodbye = func() []byte {
	const capabilities = 0x1 | 0x200 | 0x8000 | 0x80000 // long password, protocol 4.1, secure connection, plugin auth
	p := binary.LittleEndian.AppendUint32(nil, capabilities)
	p = binary.LittleEndian.AppendUint32(p, 1<<24) // largest packet
	p = append(p, 33)                              // utf8
	p = append(p, make([]byte, 23)...)
	p = append(p, "bootswain\x00"+"\x00"+"none\x00"...) // account, no answer, method
	return append([]byte{byte(len(p)), 0, 0, 1}, p...)
}()

// leave ends the connection without a line in the server's log. MariaDB warns
// of "Aborted connection" when a client leaves after the greeting, politely by
// COM_QUIT or not, and of "Access denied" when it gives a wrong account; it
// says nothing when the client leaves after being asked for another method.
// What the server answers does not matter.
func leave(conn net.Conn) {
	if _, err := conn.Write(goodbye); err == nil {
		_, _ = conn.Read(make([]byte, 512))
	}
}
