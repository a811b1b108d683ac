package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bootswain/lab"
	"bootswain/lab/awsjson"
)

// denied is a role that may not use the key, and lockedByKMS what comes of it.
var denied = awsjson.Fault{Denied: []string{"Decrypt"}}

const lockedByKMS = "LOCKED data: KMS denied Decrypt on alias/orders, context set=orders, to role db-prod. Data untouched."

// inKMS is the stanza of the canary key, encrypted by KMS.
func (b *bench) inKMS() string {
	id := b.lab.AWS.AddKey("alias/orders")
	ciphertext := b.lab.AWS.Encrypt(id, map[string]string{"set": "orders"}, b.canary)
	return fmt.Sprintf("{kms: {ciphertext: %s, context: {set: orders}, key: alias/orders}}", base64.StdEncoding.EncodeToString(ciphertext))
}

// blank makes sure that nothing was written to volumes.
func (b *bench) blank(volumes []*lab.Volume) {
	b.Helper()
	piece := make([]byte, 1<<20)
	for _, v := range volumes {
		for at := int64(0); at < v.Size(); at += int64(len(piece)) {
			n, err := v.ReadAt(piece, at)
			if err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			if slices.ContainsFunc(piece[:n], func(c byte) bool { return c != 0 }) {
				b.Fatalf("something was written to %s", v.ID)
			}
		}
	}
}

// decrypts are the times at which KMS decrypted the key.
func (b *bench) decrypts() (times []time.Time) {
	for _, r := range b.lab.AWS.Requests() {
		if r.Action == "Decrypt" && r.Code == "" {
			times = append(times, r.Time)
		}
	}
	return times
}

// granted grants the use of the key, and waits until the daemon has found out by
// itself: it tries again every 30 s of the guest's time.
func (b *bench) granted(m *lab.Machine) {
	b.Helper()
	before, began := len(b.decrypts()), b.uptime(m)
	b.lab.AWS.SetFault(awsjson.Fault{})
	must(b, lab.WaitFor(b.ctx, "the daemon to ask KMS again", func(context.Context) error {
		if len(b.decrypts()) == before {
			return errors.New("it has not asked")
		}
		return nil
	}))
	took := b.uptime(m) - began
	if took > 90*time.Second { // 30 s, and what looking at the devices takes on a busy host
		b.Errorf("asked again only %v after the grant", took)
	}
	b.step("asked again %.0f s after the grant", took.Seconds())
}

// catchCores has the kernel keep the memory of programs that crash, and shows that
// it does.
func (b *bench) catchCores(m *lab.Machine) {
	b.Helper()
	b.sh(m, "mkdir -p /var/crash && echo /var/crash/%e.%p >/proc/sys/kernel/core_pattern && cd /tmp && { sh -c 'ulimit -c unlimited; kill -SEGV $$' || true; ls /var/crash/sh.*; rm /var/crash/*; } 2>&1")
}

// crashWithKey has the daemon, and the process that gets the key for it, end as by
// errors of their own while the volume is made.
func (b *bench) crashWithKey(m *lab.Machine) {
	b.Helper()
	pid := b.sh(m, "systemctl show -P MainPID bootswain")
	b.sh(m, "for i in $(seq 1000); do child=$(pgrep -f 'with-ke[y]') && break; sleep 0.05; done; kill -SEGV $child; kill -ABRT "+pid)
	must(b, lab.WaitFor(b.ctx, "another daemon", func(ctx context.Context) error {
		out, err := m.Run(ctx, "systemctl", "show", "-P", "MainPID", "bootswain")
		if now := strings.TrimSpace(out.Stdout); err == nil && (now == pid || now == "0") {
			err = fmt.Errorf("main process %q", now)
		}
		return err
	}))
	if words := b.sh(m, "journalctl -b -u bootswain --no-pager -g SIGABRT | tail -1"); !strings.Contains(words, "SIGABRT: abort") {
		b.Errorf("the journal has no trace of the crash: %q", words)
	}
	b.step("the daemon and its child crashed with the key in use; the daemon was started again")
}

// noCores makes sure that the crash left no core dump.
func (b *bench) noCores(m *lab.Machine) {
	b.Helper()
	if left := b.sh(m, "ls /var/crash"); left != "" {
		b.Errorf("core dumps: %s", left)
	}
}
