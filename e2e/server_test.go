package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"bootswain/lab"
	"bootswain/lab/image"
)

// server is a database server as an image has it.
type server struct {
	name     string // of its unit, and in sentences
	process  string
	client   string
	packages string // that bring its unit and its settings
}

var (
	mariadb = server{"mariadb", "mariadbd", "mariadb", "mariadb-server mariadb-common mysql-common"}
	mysql   = server{"mysql", "mysqld", "mysql", "mysql-server mysql-common"}
)

// processes is a script that prints what runs of the server. The agent asks the
// program for its version and its settings at times; those are not meant.
func (s server) processes() string {
	return "for pid in $(pgrep -x " + s.process + "); do grep -qae --version -e --print-defaults /proc/$pid/cmdline || [ ! -e /proc/$pid ] || echo $pid; done"
}

// bakedSid is the image with MySQL, and with systemd's own way to the metadata
// service.
var bakedSid = sync.OnceValues(func() (image.Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	base, err := image.Sid.Base(ctx, os.Stderr)
	if err != nil {
		return image.Image{}, err
	}
	return image.Bake(ctx, os.Stderr, base, baked.deb)
})

// server is the one of a machine.
func (b *bench) server(m *lab.Machine) server {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, named := b.servers[m]; named {
		return s
	}
	return mariadb
}

// isServer names the server of a machine whose image is not the usual one.
func (b *bench) isServer(m *lab.Machine, s server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.servers == nil {
		b.servers = map[*lab.Machine]server{}
	}
	b.servers[m] = s
}

// held starts the database by hand, by a dependency and by a restart, and expects
// the gate's sentence, within a limit if one is given. It returns the sentence.
func (b *bench) held(m *lab.Machine, why string, limit ...time.Duration) (line string) {
	b.Helper()
	s := b.server(m)
	b.sh(m, fmt.Sprintf(`app=/run/systemd/system/app.service; test -e $app || {
		printf '[Unit]\nRequires=%[1]s.service\nAfter=%[1]s.service\n[Service]\nExecStart=/bin/true\n' >$app; systemctl daemon-reload; }`, s.name))
	for _, how := range [][]string{{"start", s.name}, {"start", "app"}, {"restart", s.name}} {
		code, said, took := b.refusal(m, how...)
		// A busy host makes a guest late, but not every time.
		for try := 1; len(limit) > 0 && took > limit[0] && try < 6; try++ {
			code, said, took = b.refusal(m, how...)
		}
		if len(limit) > 0 && took > limit[0] {
			b.Errorf("systemctl %s: refused %s after its start, want %s at most", how, took, limit[0])
		}
		if code == 0 || !strings.Contains(said, why) {
			b.Errorf("systemctl %s: exit status %d, journal %q, want it held because %q", how, code, said, why)
		}
		line = said
	}
	if state := b.sh(m, "systemctl is-active "+s.name+" || true; "+s.processes()); state != "failed" {
		b.Errorf("the held database is %q", state)
	}
	b.sh(m, "systemctl reset-failed app "+s.name+" || true")
	b.step("held: %s", line)
	return line
}

var missingFor = regexp.MustCompile(`missing [0-9]+[mhd]`)

// everywhere checks that status and health say what the gate said.
func (b *bench) everywhere(m *lab.Machine, line string) {
	b.Helper()
	ageless := func(text string) string { return missingFor.ReplaceAllString(text, "missing") }
	line = ageless(line)
	status := func() string { return ageless(b.sh(m, "bootswain status || true")) }
	b.waitHealth(m, func(code int, h health) bool {
		c := h.Checks["mysql"]
		return code == 503 && len(c) == 1 && c[0].Status == "fail" && strings.Contains(ageless(c[0].Output), line)
	})
	if said := status(); !strings.Contains(said, line) {
		b.Errorf("status does not say %q:\n%s", line, said)
	}
}

// refusal starts a unit that the gate is to refuse, and returns the exit status,
// the gate's sentence and how long the database's unit was starting.
func (b *bench) refusal(m *lab.Machine, how ...string) (code int, line string, took time.Duration) {
	b.Helper()
	s := b.server(m)
	began := b.uptime(m)
	out, err := m.Run(b.ctx, "systemctl", how...)
	must(b, err)
	var starting, refused time.Duration
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Minute)
	defer cancel()
	must(b, lab.WaitFor(ctx, "a refused start in the journal", func(ctx context.Context) error {
		entries, err := m.Journal(ctx, "-b", "-u", s.name+".service", "--since", "-5min")
		var said []string
		for _, e := range entries {
			if e.Time < began {
				continue
			}
			said = append(said, e.Message)
			switch {
			case strings.HasPrefix(e.Message, "HELD "+s.name+": "):
				line = e.Message
			case strings.HasPrefix(e.Message, "Starting "+s.name):
				starting = e.Time
			case strings.HasPrefix(e.Message, "Failed to start "+s.name):
				refused = e.Time
			}
		}
		if err == nil && (line == "" || starting == 0 || refused == 0) {
			err = fmt.Errorf("systemctl %s ends with %d, and the unit says %q", how, out.Code, said)
		}
		return err
	}))
	return out.Code, line, refused - starting
}

// shutdownOrder reads from the journal of the boot before this one that
// everything went in order.
func (b *bench) shutdownOrder(m *lab.Machine) {
	b.Helper()
	entries, err := m.Journal(b.ctx, "-b", "-1")
	must(b, err)
	order := []*regexp.Regexp{
		regexp.MustCompile(`^Stopped ` + b.server(m).name + `\.service`),
		regexp.MustCompile(`^Unmounted var-lib-mysql\.mount`),
		regexp.MustCompile(`^Unmounted srv-data\.mount`),
		regexp.MustCompile(`^data: close bootswain-data`),
		regexp.MustCompile(`^data: stop md`),
		regexp.MustCompile(`^Stopped bootswain-hold\.service`),
	}
	next := 0
	for _, e := range entries {
		if next < len(order) && order[next].MatchString(e.Message) {
			next++
		}
	}
	if next < len(order) {
		var last []string
		for _, e := range entries[max(0, len(entries)-80):] {
			last = append(last, fmt.Sprintf("%.3f %s: %s", e.Time.Seconds(), e.Unit, e.Message))
		}
		b.Errorf("shutdown: %s does not come in its turn; the journal ends:\n%s", order[next], strings.Join(last, "\n"))
	}
}

// pull takes a volume away from under a database that is written to, and
// returns the last row that was acknowledged to the writer. The limit is in guest
// time, in which the database is to end.
func (b *bench) pull(m *lab.Machine, v *lab.Volume, w *writer, limit time.Duration) (last int) {
	b.Helper()
	s := b.server(m)
	w.await(b, 50)
	pulled := b.uptime(m)
	must(b, m.Pull(b.ctx, v))
	b.waitSentence(m, v.ID+" lost")
	stopped := b.journalTime(m, pulled, s.name+".service", `Main process exited|^Stopped `+s.name+`\.service|Deactivated`)
	if stopped-pulled > limit {
		b.Errorf("the database stopped %s after the volume was pulled, want %s at most", stopped-pulled, limit)
	}
	b.waitHealth(m, func(code int, h health) bool {
		return code == 503 && h.Status == "fail" && strings.Contains(fmt.Sprint(h.Checks), v.ID)
	})
	if pid := b.sh(m, s.processes()); pid != "" {
		b.Errorf("the database still runs as process %s", pid)
	}
	last = w.end()
	b.step("database stopped %.1f guest seconds after the pull; %d rows acknowledged", (stopped - pulled).Seconds(), last)
	return last
}
