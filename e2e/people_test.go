package e2e

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"bootswain/lab"
	"bootswain/lab/awsjson"
	"bootswain/lab/fault"
)

const usersAddress = "ssm:/bootswain/orders-db/users"

// usersFrom is the stanza of the list that machines of the story read.
func usersFrom(more string) string {
	return "users_from: {address: " + usersAddress + ", every: 30s, end_sessions: true" + more + "}\n"
}

// with is a person with a key of some kind.
func (b *bench) with(name string, key crypto.Signer, err error) person {
	b.Helper()
	must(b, err)
	signer, err := ssh.NewSignerFromKey(key)
	must(b, err)
	return person{name, signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " " + name}
}

// listed are people with every kind of key, and the list that names them. The
// keys of the security key's owner are for sshd to read only.
func (b *bench) listed() (in []person, expired person, list string) {
	b.Helper()
	for name, curve := range map[string]elliptic.Curve{"ec256": elliptic.P256(), "ec384": elliptic.P384(), "ec521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		in = append(in, b.with(name, key, err))
	}
	three, err := rsa.GenerateKey(rand.Reader, 3072)
	in = append(in, newPerson(b.T, "ed"), b.with("rsa", three, err))
	list = "version: 1\nusers:\n"
	for _, p := range in {
		list += "- {name: " + p.name + ", ssh_authorized_keys: ['restrict,pty " + p.line + "']}\n"
	}
	ca, holder := newPerson(b.T, "ca"), newPerson(b.T, "cert")
	c := &ssh.Certificate{Key: holder.signer.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"oncall"}, ValidBefore: ssh.CertTimeInfinity}
	must(b, c.SignCert(rand.Reader, ca.signer))
	holder.signer, err = ssh.NewCertSigner(c, holder.signer)
	must(b, err)
	sk := ssh.Marshal(struct{ Type, Key, App string }{ssh.KeyAlgoSKED25519, string(newPerson(b.T, "sk").signer.PublicKey().(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey)), "ssh:"})
	skKey, err := ssh.ParsePublicKey(sk)
	must(b, err)
	expired = newPerson(b.T, "late")
	list += "- {name: cert, ssh_authorized_keys: ['cert-authority,principals=\"oncall\" " + ca.line + "', " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(skKey))) + "]}\n"
	list += "- {name: late, ssh_authorized_keys: [{key: " + expired.line + ", expires: 2026-01-01T00:00:00Z}]}\n"
	return append(in, holder), expired, list
}

// access is the story of the people that a list beside the launch data lets in,
// on a machine that was started with it. document makes launch data with this
// users_from.
func (b *bench) access(m *lab.Machine, in []person, expired person, list string, document func(usersFrom string) []byte) {
	b.Helper()
	must(b, second(m.WaitConsole(b.ctx, `log in: ssh admin@\S+ \(or ops, (?s:.*)host key SHA256:`)))
	// sshd shuts out an address from which many keys were refused, and here all
	// come from one.
	b.sh(m, "echo PerSourcePenalties no >/etc/ssh/sshd_config.d/95-story.conf && systemctl reload ssh")
	b.mayLogIn(m, append(in, b.ops, b.owner)...)
	b.mayNot(m, expired)
	b.people(m)
	b.step("each kind of key logs in")

	const look = "find /etc/passwd /etc/shadow /etc/group /etc/bootswain /etc/sudoers.d /etc/ssh -printf '%p %T@ %i\n'"
	before := b.sh(m, look)
	b.sh(m, "bootswain users sync")
	if after := b.sh(m, look); after != before {
		b.Errorf("a second look wrote:\n%s\nwas\n%s", after, before)
	}

	// Granted from outside for a while, and revoked, by nothing but the timer.
	colleague := newPerson(b.T, "colleague")
	b.grant(m, colleague, "s3://access/users.yaml")
	if got := b.sh(m, "bootswain users list --from s3://access/users.yaml"); !strings.Contains(got, "colleague  1     yes") {
		b.Errorf("the list in S3:\n%s", got)
	}
	b.grant(m, colleague, usersAddress)
	b.sh(m, "bootswain users sync")
	b.mayAdminister(m, colleague)
	session, err := m.Dial(b.ctx, colleague.name, colleague.signer)
	must(b, err)
	ended := make(chan struct{})
	go func() { _ = session.Wait(); close(ended) }()
	b.sh(m, "bootswain users revoke colleague --to "+usersAddress)
	began := b.uptime(m)
	must(b, lab.WaitFor(b.ctx, "the refusal of who was revoked", func(context.Context) error {
		if b.in(m, colleague) {
			return errors.New("still in")
		}
		return nil
	}))
	took := b.uptime(m) - began
	if took > 90*time.Second {
		b.Errorf("refused %s after the revocation, want 30 s and a minute at most", took)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		b.Errorf("the session goes on after the revocation")
	}
	b.step("revoked: refused after %.1f s", took.Seconds())

	// Weak keys are refused on both sides, and a list with one changes nothing.
	weakKey, err := rsa.GenerateKey(rand.Reader, 1024)
	weak := b.with("weak", weakKey, err)
	out, err := m.RunInput(b.ctx, []byte(weak.line), "bootswain", "users", "grant", "weak", "--key", "-", "--to", usersAddress)
	if err != nil || out.Code == 0 || !strings.Contains(out.Stderr, "is an RSA key of 1024 bits, which is too weak") {
		b.Errorf("a weak key is granted: %+v, %v", out, err)
	}
	b.lab.AWS.AddParameter("/bootswain/orders-db/users", list+"- {name: weak, ssh_authorized_keys: ["+weak.line+"]}\n")
	b.syncFails(m, "is an RSA key of 1024 bits")
	b.mayNot(m, weak)
	b.mayLogIn(m, in[0])

	// AWS denies: nobody's access changes, and health says so.
	b.lab.AWS.AddParameter("/bootswain/orders-db/users", list)
	b.lab.AWS.SetFault(awsjson.Fault{Denied: []string{"GetParameter"}})
	b.syncFails(m, "denied GetParameter")
	b.mayLogIn(m, in[0])
	b.waitHealth(m, func(_ int, h health) bool {
		c := h.Checks["users-from"]
		return len(c) == 1 && c[0].Status == "warn" && strings.Contains(c[0].Output, "Nobody's access has changed")
	})

	// Too old for what is allowed: one key is left.
	glass := newPerson(b.T, "admin")
	must(b, m.WriteFile(b.ctx, "/root/lock.yaml", document(usersFrom(", max_stale: 1s, when_stale: lock, break_glass: "+glass.line)), 0o600))
	b.sh(m, "bootswain apply --from /root/lock.yaml")
	for _, p := range append(in, b.ops, b.owner) {
		b.mayNot(m, p)
	}
	b.mayLogIn(m, glass)
	b.step("locked: %s", b.sh(m, "bootswain status | grep -A1 users_from"))
	b.lab.AWS.SetFault(awsjson.Fault{Common: fault.Common{}})
	b.sh(m, "bootswain users sync")
	b.mayLogIn(m, in[0])
	must(b, m.WriteFile(b.ctx, "/root/open.yaml", document(usersFrom("")), 0o600))
	b.sh(m, "bootswain apply --from /root/open.yaml")
	b.mayLogIn(m, in[0])
	b.mayNot(m, glass)
	b.step("open again")
}

// grant lets somebody in for two days.
func (b *bench) grant(m *lab.Machine, p person, to string) {
	b.Helper()
	out, err := m.RunInput(b.ctx, []byte(p.line), "bootswain", "users", "grant", p.name, "--key", "-", "--for", "2d", "--sudo", "--to", to)
	must(b, err)
	must(b, out.OK())
}

func (b *bench) syncFails(m *lab.Machine, why string) {
	b.Helper()
	out, err := m.Run(b.ctx, "bootswain", "users", "sync")
	if err != nil || out.Code != 4 || !strings.Contains(out.Stderr, why) {
		b.Errorf("sync: %+v, %v, want exit status 4 because %q", out, err, why)
	}
}

// in tells whether a person can log in.
func (b *bench) in(m *lab.Machine, p person) bool {
	b.Helper()
	c, err := m.Dial(b.ctx, p.name, p.signer)
	if err != nil {
		if !lab.Refused(err) {
			b.Errorf("%s: %v, want that the key is accepted or refused", p.name, err)
		}
		return false
	}
	defer c.Close()
	return second(c.NewSession()) == nil
}

func (b *bench) mayLogIn(m *lab.Machine, people ...person) {
	b.Helper()
	for _, p := range people {
		if !b.in(m, p) {
			b.Errorf("%s (%s) cannot log in:\n%s", p.name, p.signer.PublicKey().Type(), b.sh(m, fmt.Sprintf("journalctl -b -u ssh --no-pager | tail -5; cat /etc/bootswain/keys/%[1]s; getent shadow %[1]s || true", p.name)))
		}
	}
}

// mayAdminister checks that somebody logs in and becomes root without a password.
func (b *bench) mayAdminister(m *lab.Machine, p person) {
	b.Helper()
	if out, err := m.SSH(b.ctx, p.name, p.signer, "sudo -n id -u"); err != nil || strings.TrimSpace(out.Stdout) != "0" {
		b.Errorf("ssh %s: %q, %v, want root by sudo", p.name, out.Stdout+out.Stderr, err)
	}
}

func (b *bench) mayNot(m *lab.Machine, p person) {
	b.Helper()
	if b.in(m, p) {
		b.Errorf("%s (%s) can log in:\n%s", p.name, p.signer.PublicKey().Type(), b.sh(m, fmt.Sprintf("cat /etc/bootswain/keys/%[1]s || true; getent shadow %[1]s || true", p.name)))
	}
}
