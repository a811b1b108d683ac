package ebs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Event is one thing that happened to a block device.
type Event struct {
	Action string // "add", "remove", "change", …
	Name   string // kernel name, "nvme1n1"
	Lost   bool   // the kernel dropped events: look at everything again; Action and Name are empty
}

// kernelGroup is the netlink multicast group of the kernel's own messages;
// udev sends its own to group 2 (systemd, sd-device/device-monitor.c).
const kernelGroup = 1

// Watch reports what happens to block devices from now on, straight from the
// kernel, so that it works before and without udev. The channel is closed when
// ctx ends. If the socket fails before that, an event with Lost comes first.
func Watch(ctx context.Context) (<-chan Event, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for kernel events: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "kernel events")
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		socket.Close()
		return nil, fmt.Errorf("cannot listen for kernel events: %w", err)
	}
	conn, err := socket.SyscallConn()
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("cannot listen for kernel events: %w", err)
	}
	buf := make([]byte, 16<<10) // the kernel's own buffer for a message is 2 KiB (linux/kobject.h)
	return follow(ctx, func() (Event, bool, error) { return receive(conn.Read, buf) }, socket), nil
}

// follow passes on what next returns until ctx ends, which closes the socket
// and so ends a next that waits.
func follow(ctx context.Context, next func() (Event, bool, error), socket io.Closer) <-chan Event {
	events := make(chan Event, 64)
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	go func() {
		defer close(events)
		defer func() {
			if stop() {
				socket.Close()
			}
		}()
		for {
			e, ok, err := next()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				e, ok = Event{Lost: true}, true
			}
			if ok {
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
			}
			if err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
		}
	}()
	return events
}

// receive waits for one message. ok is false for one that is not about a block
// device, does not come from the kernel, or makes no sense.
func receive(read func(func(fd uintptr) bool) error, buf []byte) (e Event, ok bool, err error) {
	var n int
	var from unix.Sockaddr
	var recvErr error
	err = read(func(fd uintptr) bool {
		n, from, recvErr = unix.Recvfrom(int(fd), buf, 0)
		return !errors.Is(recvErr, unix.EAGAIN) && !errors.Is(recvErr, unix.EINTR)
	})
	if err = errors.Join(err, recvErr); err != nil {
		return Event{}, false, err
	}
	if nl, is := from.(*unix.SockaddrNetlink); is && nl.Pid != 0 {
		return Event{}, false, nil
	}
	e, ok = parseUevent(buf[:n])
	return e, ok, nil
}

// parseUevent reads a kernel uevent: a line "ACTION@DEVPATH" and then KEY=VALUE,
// each ended by NUL (lib/kobject_uevent.c). ok is false where it is not about a
// block device.
func parseUevent(msg []byte) (e Event, ok bool) {
	head, rest, _ := bytes.Cut(msg, []byte{0})
	action, devpath, isEvent := strings.Cut(string(head), "@")
	if !isEvent || action == "" || !strings.HasPrefix(devpath, "/") {
		return Event{}, false
	}
	name := path.Base(devpath)
	for field := range bytes.SplitSeq(rest, []byte{0}) {
		if string(field) == "SUBSYSTEM=block" && name != "/" {
			return Event{Action: action, Name: name}, true
		}
	}
	return Event{}, false
}
