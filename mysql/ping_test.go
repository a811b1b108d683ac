package mysql

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

// The greetings of MariaDB 10.11 and of a server with too many connections.
var (
	mariadb = "\x64\x00\x00\x00\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\x00\x03\x00\x00\x00" + strings.Repeat("x", 62)
	full    = "\x17\x00\x00\x00\xff\x10\x04Too many connections"
)

func TestReadGreeting(t *testing.T) {
	for _, tt := range []struct{ name, packet, version, want string }{
		{"mariadb", mariadb, "10.11.19-MariaDB-0+deb12u1", ""},
		{"mysql", "\x07\x00\x00\x00\x0a9.7.4\x00", "9.7.4", ""},
		{"too many connections", full, "", "the server turns connections away: error 1040: Too many connections"},
		{"an error without words", "\x01\x00\x00\x00\xff", "", "turns connections away without a word"},
		{"nothing", "", "", "cannot read the server's greeting: EOF"},
		{"cut off", mariadb[:20], "", "cannot read the server's greeting: unexpected EOF"},
		{"an empty packet", "\x00\x00\x00\x00", "", "no database answers here: a greeting of 0 bytes"},
		{"ssh", "SSH-2.0-OpenSSH_10.0\r\n", "", "no database answers here: a greeting of 4739923 bytes"},
		{"an older protocol", "\x02\x00\x00\x00\x09\x00", "", "a greeting of protocol 9"},
		{"no end of the version", "\x03\x00\x00\x00\x0a12", "", "a greeting without a version"},
		{"only the prefix", "\x08\x00\x00\x00\x0a5.5.5-\x00", "", "a greeting without a version"},
		{"no version", "\x03\x00\x00\x00\x0a\x00\x00", "", "a greeting without a version"},
		{"a version to fool a terminal", "\x06\x00\x00\x00\x0a\x1b[1m\x00", "?[1m", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			version, err := readGreeting(strings.NewReader(tt.packet))
			wantError(t, err, tt.want)
			if version != tt.version {
				t.Errorf("version = %q, want %q", version, tt.version)
			}
		})
	}
}

func FuzzReadGreeting(f *testing.F) {
	for _, seed := range []string{mariadb, full, "", "\x03\x00\x00\x00\x0a1\x00", "\xff\xff\xff\x00\x0a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		version, err := readGreeting(bytes.NewReader(data))
		if (version == "") == (err == nil) {
			t.Errorf("version %q with error %v", version, err)
		}
		if strings.ContainsFunc(version, func(r rune) bool { return r < unicode.MaxASCII && unicode.IsControl(r) }) {
			t.Errorf("control characters in %q", version)
		}
	})
}

// serve answers one connection with a greeting and returns what came back.
func serve(t *testing.T, greeting string) (socket string, said chan string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	said = make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, greeting)
		buf := make([]byte, 200)
		n, _ := conn.Read(buf)
		said <- string(buf[:n])
	}()
	return socket, said
}

func TestPing(t *testing.T) {
	socket, said := serve(t, mariadb)
	version, err := Ping(context.Background(), socket)
	if err != nil || version != "10.11.19-MariaDB-0+deb12u1" {
		t.Errorf("Ping = %q, %v", version, err)
	}
	// Leaving without this makes MariaDB warn at every ping.
	if got := <-said; len(got) < 4 || int(got[0]) != len(got)-4 || !strings.HasSuffix(got, "\x00none\x00") {
		t.Errorf("left with %q", got)
	}
}

func TestPingFails(t *testing.T) {
	_, err := Ping(context.Background(), filepath.Join(t.TempDir(), "none"))
	if wantError(t, err, "cannot connect"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is no missing file", err)
	}
	socket, _ := serve(t, "") // accepts and is silent
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = Ping(ctx, socket)
	wantError(t, err, "cannot read the server's greeting")
}
