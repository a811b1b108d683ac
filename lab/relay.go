package lab

import (
	"fmt"
	"io"
	"net"
	"os"
)

// relayEnv names the socket to which a process started by QEMU connects its
// standard input and output.
const relayEnv = "BOOTSWAIN_LAB_RELAY"

// QEMU gives the guest its metadata service by starting a program for each
// connection. That program is this one again, whichever it is (cmd/lab or a
// test), so that nothing needs to be built or installed for it.
func init() {
	if path := os.Getenv(relayEnv); path != "" {
		if err := relay(path, os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// relay copies both ways until both sides have said all.
func relay(path string, in io.Reader, out io.Writer) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	go func() {
		_, _ = io.Copy(c, in) // the other side notices what is missing
		_ = c.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(out, c)
	return err
}

// relayCommand starts this program again, also when its file is gone by then,
// as go run and go test leave it.
func relayCommand() string { return fmt.Sprintf("/proc/%d/exe", os.Getpid()) }
