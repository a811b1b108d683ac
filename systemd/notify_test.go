package systemd

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

func TestNotify(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	if err := errors.Join(Ready("3 of 4\nvolumes"), Status("works"), Watchdog(), Stopping()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"READY=1\nSTATUS=3 of 4 volumes", "STATUS=works", "WATCHDOG=1", "STOPPING=1"} {
		buf := make([]byte, 100)
		n, err := l.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("got %q, %v, want %q", buf[:n], err, want)
		}
	}
}

func TestNotifyWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Watchdog(); err != nil {
		t.Errorf("nobody listens: %v", err)
	}
}
