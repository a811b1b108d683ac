package launch

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRuleset(t *testing.T) {
	const want = `add table inet bootswain
delete table inet bootswain
table inet bootswain {
	chain output {
		type filter hook output priority filter; policy accept;
		ip daddr 169.254.169.254 meta skuid != { 0, 998 } meta l4proto tcp counter reject with tcp reset
		ip daddr 169.254.169.254 meta skuid != { 0, 998 } counter reject
		ip6 daddr fd00:ec2::254 meta skuid != { 0, 998 } meta l4proto tcp counter reject with tcp reset
		ip6 daddr fd00:ec2::254 meta skuid != { 0, 998 } counter reject
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip daddr 169.254.169.254 meta l4proto tcp counter reject with tcp reset
		ip daddr 169.254.169.254 counter reject
		ip6 daddr fd00:ec2::254 meta l4proto tcp counter reject with tcp reset
		ip6 daddr fd00:ec2::254 counter reject
	}
}
`
	if got := ruleset([]int{0, 998}); got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestConnectAs shows the socket's owner to whoever asks the kernel for it.
func TestConnectAs(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(l.Addr().String())
	if err := connectAs(os.Getuid(), at); err != nil {
		t.Errorf("as this user: %v", err)
	}
	l.Close()
	if err := connectAs(os.Getuid(), at); !errors.Is(err, unix.ECONNREFUSED) || !(Try{Err: err}).Refused() {
		t.Errorf("where nobody listens: %v", err)
	}
	if (Try{Err: unix.ETIMEDOUT}).Refused() || (Try{}).Refused() {
		t.Error("no answer, or an answer, is taken for a refusal")
	}
	const other = 65534
	switch err := connectAs(other, at); {
	case os.Getuid() == 0 && !errors.Is(err, unix.ECONNREFUSED):
		t.Errorf("as another user: %v", err)
	case os.Getuid() != 0 && (err == nil || !strings.Contains(err.Error(), "cannot act for the user")):
		t.Errorf("as another user, without the right to: %v", err)
	}
	if is, _ := unix.SetfsuidRetUid(-1); is != os.Getuid() {
		t.Errorf("this thread is another's now: %d", is)
	}
}
