// Package e2e holds the scenarios that run whole machines in the laboratory:
// what was on the disks and what the machine was told, what must be on the
// disks and what must be answered after.
//
// They need root and QEMU and take minutes, so plain "go test" leaves them
// out; "make test" runs them (BOOTSWAIN_E2E=1).
package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"bootswain/lab"
	"bootswain/lab/image"
)

// soak is for "make soak", which takes hours.
var soak = os.Getenv("BOOTSWAIN_SOAK") != ""

// limit ends a scenario whose machine hangs; it says nothing of how fast
// anything must be.
var limit = map[bool]time.Duration{false: 30 * time.Minute, true: 2 * time.Hour}[soak]

// noDatabase is for machines whose story has none: its start is half of a boot.
const (
	noDatabase = "systemd.mask=mariadb.service"
	noMySQL    = "systemd.mask=mysql.service"
)

var baked struct {
	plain, agent image.Image
	deb          string
}

func TestMain(m *testing.M) {
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		fmt.Println("e2e: whole machines; run by make test (BOOTSWAIN_E2E=1)")
		os.Exit(0)
	}
	if err := bake(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func bake() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if baked.plain, err = image.Debian13.Base(ctx, os.Stderr); err != nil {
		return err
	}
	if baked.deb, err = image.Deb(ctx, os.Stderr, ""); err != nil {
		return err
	}
	baked.agent, err = image.Bake(ctx, os.Stderr, baked.plain, baked.deb)
	return err
}

// bench is one scenario's laboratory, with the people and keys of its story.
type bench struct {
	*testing.T
	ctx    context.Context
	lab    *lab.Lab
	began  time.Time
	ops    person // named in launch data
	owner  person // of the EC2 key pair
	canary []byte // the volumes' key

	mu      sync.Mutex
	failed  []string                // what failed, to be said once more at the end
	servers map[*lab.Machine]server // MariaDB, where it names none
}

func (b *bench) Errorf(format string, args ...any) { b.Helper(); b.Error(fmt.Sprintf(format, args...)) }
func (b *bench) Fatalf(format string, args ...any) { b.Helper(); b.Fatal(fmt.Sprintf(format, args...)) }
func (b *bench) Error(args ...any)                 { b.Helper(); b.note(args); b.T.Error(args...) }
func (b *bench) Fatal(args ...any)                 { b.Helper(); b.note(args); b.T.Fatal(args...) }

func (b *bench) note(args []any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	what := strings.ReplaceAll(strings.TrimSpace(fmt.Sprintln(args...)), "\n", " | ")
	b.failed = append(b.failed, what[:min(len(what), 500)])
}

// again says last what failed: the consoles of machines are long.
func (b *bench) again() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, what := range b.failed {
		b.step("FAILED: %s", what)
	}
}

type person struct {
	name   string
	signer ssh.Signer
	line   string // for authorized_keys
}

// open starts a scenario beside the others.
func open(t *testing.T) *bench {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	b := &bench{T: t, ctx: ctx, began: time.Now(), ops: newPerson(t, "ops"), owner: newPerson(t, "admin"), canary: make([]byte, 64)}
	t.Cleanup(b.again)
	// Printable, so that a leak into text shows as it is.
	raw := make([]byte, 32)
	must(t, second(rand.Read(raw)))
	hex.Encode(b.canary, raw)
	l, err := lab.New(ctx, lab.Options{Log: &lines{t: t, prefix: "lab: "}})
	must(t, err)
	b.lab = l
	t.Cleanup(func() { must(t, l.Close()) })
	return b
}

// beside is a part of a scenario that shares its laboratory and its people. It has
// a limit of its own, since it may begin long after the whole: other scenarios go
// before.
func (b *bench) beside(t *testing.T) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	part := &bench{T: t, ctx: ctx, lab: b.lab, began: time.Now(), ops: b.ops, owner: b.owner, canary: b.canary}
	t.Cleanup(part.again)
	return part
}

func newPerson(t *testing.T, name string) person {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(t, err)
	return person{name, signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " " + name}
}

// start boots a machine with the agent. Its console is printed if the scenario
// fails.
func (b *bench) start(o lab.MachineOptions) *lab.Machine {
	b.Helper()
	if o.Image.Root == "" {
		o.Image = baked.agent
	}
	m, err := b.lab.Start(b.ctx, o)
	must(b, err)
	b.Cleanup(func() {
		if b.Failed() {
			console, _ := os.ReadFile(m.ConsoleFile())
			b.Logf("console of %s:\n%s", m.ID, tail(console, 12<<10))
		}
	})
	b.step("started %s", m.ID)
	return m
}

// step prints progress with the time since the scenario began.
func (b *bench) step(format string, args ...any) {
	fmt.Printf("%s %6.1fs %s\n", b.Name(), time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// volumes makes n blank volumes.
func (b *bench) volumes(n int, size int64) []*lab.Volume {
	var all []*lab.Volume
	for range n {
		v, err := b.lab.Volume(size)
		must(b, err)
		all = append(all, v)
	}
	return all
}

// sealed is the canary key, sealed to a recipient with age itself.
func (b *bench) sealed(recipient string) string {
	to, err := age.ParseX25519Recipient(recipient)
	must(b, err)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	must(b, err)
	must(b, second(w.Write(b.canary)))
	must(b, w.Close())
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// stanza is a volume of launch data, its key sealed to the image.
func (b *bench) stanza(name, mount string, volumes ...*lab.Volume) string {
	return b.stanzaFor(baked.agent.Recipient, name, mount, volumes...)
}

func (b *bench) stanzaFor(recipient, name, mount string, volumes ...*lab.Volume) string {
	return fmt.Sprintf("  %s:\n    ebs: {ids: %s}\n    create: if_blank\n    encryption: {sealed: %s}\n    mount: %s\n",
		name, ids(volumes), b.sealed(recipient), mount)
}

// document is launch data with the user ops, volumes and what more is asked.
func (b *bench) document(volumes, more string) []byte {
	doc := fmt.Sprintf("#bootswain\nversion: 1\nusers:\n  - name: ops\n    groups: [adm]\n    sudo: true\n    ssh_authorized_keys: [%s]\n", b.ops.line)
	if volumes != "" {
		doc += "volumes:\n" + volumes
	}
	return []byte(doc + "health: {listen: 0.0.0.0:8273}\n" + more)
}

func ids(volumes []*lab.Volume) string {
	var list []string
	for _, v := range volumes {
		list = append(list, v.ID)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// sh runs a script as root in the guest and returns what it printed.
func (b *bench) sh(m *lab.Machine, script string) string {
	b.Helper()
	out, err := m.Shell(b.ctx, script)
	if err != nil {
		b.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(out)
}

// booted waits for the end of the boot: until then nobody but root logs in, and a
// start by hand would only join the boot's own.
func (b *bench) booted(m *lab.Machine) {
	b.Helper()
	must(b, m.Ready(b.ctx))
	b.sh(m, "timeout 600 sh -c 'until systemctl is-active multi-user.target; do sleep 1; done'")
}

// ready waits until everything is as asked for.
func (b *bench) ready(m *lab.Machine) {
	b.Helper()
	must(b, m.Ready(b.ctx))
	out, err := m.Run(b.ctx, "bootswain", "status", "--wait=10m")
	must(b, err)
	if out.Code != 0 {
		b.Fatalf("not ready (exit status %d):\n%s%s\n%s", out.Code, out.Stdout, out.Stderr, b.sh(m, "journalctl -b -u 'bootswain*' -u mariadb -u mysql --no-pager | tail -60"))
	}
	b.step("ready:\n%s", out.Stdout)
}

// health is the answer that a monitor gets.
type health struct {
	Status string `json:"status"`
	Checks map[string][]struct {
		Status string `json:"status"`
		Output string `json:"output"`
	} `json:"checks"`
}

func askHealth(ctx context.Context, m *lab.Machine) (code int, h health, err error) {
	ctx, cancel := context.WithTimeout(ctx, answered)
	defer cancel()
	code, body, err := m.HTTP(ctx, "/health")
	if err == nil {
		err = json.Unmarshal(body, &h)
	}
	return code, h, err
}

// waitHealth waits until a monitor gets what holds says is right: the database
// is looked at every few seconds, so health may be that much behind.
func (b *bench) waitHealth(m *lab.Machine, holds func(code int, h health) bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	must(b, lab.WaitFor(ctx, "health as it is to be", func(ctx context.Context) error {
		code, h, err := askHealth(ctx, m)
		if err == nil && !holds(code, h) {
			err = fmt.Errorf("health: %d %+v", code, h)
		}
		return err
	}))
}

// sql runs statements as root over the server's socket.
func (b *bench) sql(m *lab.Machine, statements string) string {
	b.Helper()
	out, err := m.RunInput(b.ctx, []byte(statements), b.server(m).client, "-N")
	must(b, err)
	if out.Code != 0 {
		b.Fatalf("%s: %s", statements, out.Stderr)
	}
	return strings.TrimSpace(out.Stdout)
}

// rows is all that is in the table of the story.
func (b *bench) rows(m *lab.Machine) string {
	b.Helper()
	return b.sql(m, "select count(*), sum(n), md5(group_concat(t order by n)) from orders.o")
}

// same checks that the rows are there and that health comes to pass.
func (b *bench) same(m *lab.Machine, rows, after string) {
	b.Helper()
	if got := b.rows(m); got != rows {
		b.Errorf("after %s: rows %s, want %s", after, got, rows)
	}
	b.waitHealth(m, func(code int, h health) bool { return code == 200 && h.Status == "pass" })
	b.step("same rows after %s", after)
}

func (b *bench) uptime(m *lab.Machine) time.Duration {
	b.Helper()
	t, err := m.Uptime(b.ctx)
	must(b, err)
	return t
}

// copy brings a file into the guest.
func (b *bench) copy(m *lab.Machine, from, to string) {
	b.Helper()
	data, err := os.ReadFile(from)
	must(b, err)
	must(b, m.WriteFile(b.ctx, to, data, 0o600))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// lines writes whole lines to the test's log.
type lines struct {
	t      *testing.T
	prefix string
	mu     sync.Mutex
	rest   []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		fmt.Printf("%s %s%s\n", l.t.Name(), l.prefix, line)
		l.rest = rest
	}
}

var _ io.Writer = (*lines)(nil)
