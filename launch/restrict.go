package launch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"bootswain/internal/run"
)

// metadataAddresses are where EC2 answers for metadata, and with it hands out the
// credentials of the instance's role.
var metadataAddresses = []netip.AddrPort{netip.MustParseAddrPort("169.254.169.254:80"), netip.MustParseAddrPort("[fd00:ec2::254]:80")}

// tryTimeout is how long a connection to the metadata service may take.
const tryTimeout = 2 // seconds

// Restrict lets only processes of the users with these ids reach the metadata
// service, until the machine goes down or Unrestrict is called. What containers
// with a network of their own send has no user here, and is refused. It is one
// transaction of nftables, in a table that is ours alone.
func Restrict(ctx context.Context, r run.Runner, uids []int) error {
	return nft(ctx, r, ruleset(uids))
}

// Unrestrict takes back what Restrict did.
func Unrestrict(ctx context.Context, r run.Runner) error { return nft(ctx, r, noRules) }

func nft(ctx context.Context, r run.Runner, script string) error {
	_, err := r.Run(ctx, run.Cmd{Name: "nft", Args: []string{"-f", "-"}, Stdin: []byte(script)})
	return err
}

// noRules removes the table, whether or not it is there.
const noRules = "add table inet bootswain\ndelete table inet bootswain\n"

func ruleset(uids []int) string {
	ids := make([]string, len(uids))
	for i, uid := range uids {
		ids[i] = strconv.Itoa(uid)
	}
	var output, forward strings.Builder
	for _, a := range metadataAddresses {
		family := "ip"
		if a.Addr().Is6() {
			family = "ip6"
		}
		// A connection hears of a reset at once, of the ICMP message only when it
		// tries again.
		for _, how := range []string{"meta l4proto tcp counter reject with tcp reset", "counter reject"} {
			fmt.Fprintf(&output, "\t\t%s daddr %s meta skuid != { %s } %s\n", family, a.Addr(), strings.Join(ids, ", "), how)
			fmt.Fprintf(&forward, "\t\t%s daddr %s %s\n", family, a.Addr(), how)
		}
	}
	return noRules + "table inet bootswain {\n" +
		"\tchain output {\n\t\ttype filter hook output priority filter; policy accept;\n" + output.String() + "\t}\n" +
		"\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n" + forward.String() + "\t}\n}\n"
}

// Try is one attempt to reach the metadata service.
type Try struct {
	Address string
	Err     error // nil: it was reached
}

// Refused tells whether the attempt failed at once, and not for want of an
// answer.
func (t Try) Refused() bool {
	return slices.ContainsFunc([]error{unix.ECONNREFUSED, unix.EACCES, unix.EPERM, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT},
		func(e error) bool { return errors.Is(t.Err, e) })
}

// TryMetadata connects to every address of the metadata service in the name of
// the user with this id, and sends nothing. It needs root for another user than
// its own.
func TryMetadata(uid int) []Try {
	tries := make([]Try, len(metadataAddresses))
	for i, a := range metadataAddresses {
		tries[i] = Try{Address: a.Addr().String(), Err: connectAs(uid, a)}
	}
	return tries
}

// connectAs makes a connection that to the kernel is another user's: a socket
// belongs to whom its thread named for files when it was made (setfsuid(2)).
func connectAs(uid int, to netip.AddrPort) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		_ = unix.Setfsuid(uid) // never says whether it worked
		if is, _ := unix.SetfsuidRetUid(-1); is != uid {
			done <- fmt.Errorf("cannot act for the user with the id %d", uid)
			return
		}
		done <- connect(to)
	}()
	return <-done
}

func connect(to netip.AddrPort) error {
	var address unix.Sockaddr
	family := unix.AF_INET
	if to.Addr().Is4() {
		address = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	} else {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	s, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: tryTimeout}); err != nil {
		return err
	}
	err = unix.Connect(s, address)
	for errors.Is(err, unix.EINTR) {
		err = unix.Connect(s, address)
	}
	if errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EALREADY) {
		return unix.ETIMEDOUT // SO_SNDTIMEO ended it
	}
	return err
}
