package agent

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"bootswain/internal/run"
	"bootswain/launch"
)

func TestRestricted(t *testing.T) {
	refused, late, reached := launch.Try{Err: syscall.ECONNREFUSED}, launch.Try{Err: syscall.ETIMEDOUT}, launch.Try{Address: "169.254.169.254"}
	unreachable := launch.Try{Err: syscall.ENETUNREACH}
	for name, c := range map[string]struct {
		absent         []string
		stranger, root []launch.Try
		want           string
	}{
		"works":            {nil, []launch.Try{refused, refused}, []launch.Try{reached, unreachable}, "READY imds: only root, app reach it; another user's connection was refused."},
		"no IPv6":          {nil, []launch.Try{refused, unreachable}, []launch.Try{reached, unreachable}, "READY"},
		"reached":          {nil, []launch.Try{reached, refused}, []launch.Try{reached, refused}, "FAILED imds: restricted, and yet another user reached 169.254.169.254."},
		"reached by IPv6":  {nil, []launch.Try{refused, reached}, []launch.Try{reached, reached}, "FAILED"},
		"no answer":        {nil, []launch.Try{late, refused}, []launch.Try{late, unreachable}, "WAITING imds: restricted, but another user's connection was neither refused nor answered."},
		"root has none":    {nil, []launch.Try{refused, refused}, []launch.Try{late, unreachable}, "WAITING imds: restricted; that cannot be shown while not even root reaches it."},
		"somebody missing": {[]string{"app"}, []launch.Try{refused, refused}, []launch.Try{reached, unreachable}, "DEGRADED imds: restricted; no such user here: app."},
	} {
		got := restricted([]string{"root", "app"}, c.absent, c.stranger, c.root)
		if !strings.HasPrefix(got.String(), c.want) || got.Word != "READY" && got.Next == "" {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := unrestrictable(&run.MissingError{Name: "nft"}).String(); !strings.Contains(got, "nft is not installed") || !strings.Contains(got, "next: install nftables in the image") {
		t.Errorf("without nft: %s", got)
	}
}

func TestUserIDs(t *testing.T) {
	uids, absent := userIDs([]string{"root", "no_such_user_here"})
	if !slices.Contains(uids, 0) || fmt.Sprint(absent) != "[no_such_user_here]" {
		t.Errorf("%v, absent %v", uids, absent)
	}
	if got := stranger([]int{0, 65533, 65534}); got != 65532 {
		t.Errorf("a stranger's id: %d", got)
	}
}
