package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"bootswain/health/probe"
	"bootswain/health/web"
	"bootswain/internal/atomicfile"
	"bootswain/internal/situation"
	"bootswain/systemd"
)

const (
	// webFile is who may ask, as a whole, with its key: root's alone. systemd hands
	// it to the listener, which is nobody in particular, as a credential.
	webFile = runDir + "/web.yml"
	// webEvery is how often it is looked whether that file, or what it names, is
	// another. It is not followed by inotify, because certificates are replaced in
	// more ways than one: renamed, linked, written in place.
	webEvery = 30 * time.Second
	// placeGrace is how long the rest waits until health answers where it is to.
	placeGrace = 5 * time.Second
)

// answering is where health is to answer, and by which file it is said who may
// ask. Both may be empty: as the units have it, everybody.
type answering struct{ address, web string }

// errand is what the porter is to do; placed is closed when it was tried.
type errand struct {
	answering
	placed chan struct{}
}

// heard is what came of it.
type heard struct {
	sentence *situation.Situation // nil: nothing is asked for
	shown    bool                 // clients are shown a certificate
}

// listenAsAsked hands on where health is to answer by the launch data, or else by
// the image's configuration, and waits a moment until it does: a monitor should
// see the volumes come up.
func (d *daemon) listenAsAsked(ctx context.Context) {
	want := answering{address: d.orders.spec.Health.Listen, web: d.orders.spec.Health.WebConfig}
	if want.address == "" {
		want.address = d.config.Health.Listen
	}
	if want.web == "" {
		want.web = d.config.Health.WebConfig
	}
	select {
	case <-d.listens: // it was not taken up yet
	default:
	}
	placed := make(chan struct{})
	d.listens <- errand{want, placed}
	select {
	case <-placed:
	case <-time.After(placeGrace):
	case <-ctx.Done():
	}
}

// porter keeps the health listener where it is to be, and behind what.
type porter struct {
	units  doors
	file   string            // webFile
	done   systemd.Listening // what systemd was last told
	given  []byte            // what the listener was last given, nil if nothing
	placed bool              // done and given hold
}

// doors is what of systemd's the porter needs.
type doors interface {
	Listen(context.Context, systemd.Listening) error
	Reload(ctx context.Context, unit string) error
}

// keep follows what is asked for and the files that it names until ctx ends.
func (p *porter) keep(ctx context.Context, asked <-chan errand, tell func(heard)) {
	var want answering
	tick := time.NewTicker(webEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-asked:
			want = next.answering
			h := p.look(ctx, want)
			close(next.placed)
			tell(h)
		case <-tick.C:
			tell(p.look(ctx, want))
		}
	}
}

// look does what is asked for, as far as it is not done. A file that cannot be
// used changes nothing if it once could; else nobody but this machine is
// answered, because whom to keep out is not known.
func (p *porter) look(ctx context.Context, want answering) heard {
	if want == (answering{}) && !p.placed {
		return heard{}
	}
	unit := systemd.Listening{Socket: "bootswain-health.socket", Service: "bootswain-health.service", Address: want.address}
	var who *web.Config
	var whole []byte
	var broken error
	if want.web != "" {
		unit.Credential = p.file
		mark := fmt.Appendf(nil, "# By bootswain, of %q.\n", want.web)
		if who, whole, broken = web.Load(want.web); broken == nil {
			whole = append(mark, whole...)
		} else if who, whole = p.last(mark); who == nil {
			unit.Credential, unit.Address = "", loopback(want.address)
		}
	}
	if err := p.place(ctx, unit, whole); err != nil {
		return heard{sentence: &situation.Situation{Word: situation.Failed, Subject: "health", Cause: err,
			Text: fmt.Sprintf("cannot listen on %s: %v.", orDefault(unit.Address), err), Next: "tried again every 30s; journalctl -u bootswain-health.socket"}}
	}
	return heard{sentence: judge(want, unit, who, broken), shown: who != nil && who.TLS() != nil}
}

// last returns what was last good of the same file.
func (p *porter) last(mark []byte) (*web.Config, []byte) {
	whole, err := os.ReadFile(p.file)
	if err != nil || !bytes.HasPrefix(whole, mark) {
		return nil, nil
	}
	who, err := web.Parse(whole)
	if err != nil {
		return nil, nil
	}
	return who, whole
}

// place has systemd do it, and the listener begin anew with what is new for it.
func (p *porter) place(ctx context.Context, unit systemd.Listening, whole []byte) error {
	if p.placed && unit == p.done && bytes.Equal(whole, p.given) {
		return nil
	}
	p.placed = false
	if whole != nil {
		if err := atomicfile.Write(p.file, whole, 0o600); err != nil {
			return err
		}
	}
	if err := p.units.Listen(ctx, unit); err != nil {
		return err
	}
	if whole != nil {
		if err := p.units.Reload(ctx, unit.Service); err != nil {
			return err
		}
	} else if err := os.Remove(p.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.done, p.given, p.placed = unit, whole, true
	return nil
}

// judge says how it stands.
func judge(want answering, unit systemd.Listening, who *web.Config, broken error) *situation.Situation {
	s := &situation.Situation{Word: situation.Ready, Subject: "health", Cause: broken}
	at := orDefault(unit.Address)
	switch {
	case broken != nil && who == nil:
		s.Word = situation.Failed
		s.Text = fmt.Sprintf("%s cannot be used: %v. Answers are on %s only.", want.web, broken, at)
		s.Next = "correct it; it is read again every 30s"
	case broken != nil:
		s.Word = situation.Degraded
		s.Text = fmt.Sprintf("%s cannot be used: %v. Answers go on as it was before, on %s %s.", want.web, broken, at, who)
		s.Next = "correct it; it is read again every 30s"
	case who != nil && who.Bare() && unit.Address != loopback(unit.Address):
		s.Word = situation.Degraded
		s.Text = fmt.Sprintf("answers on %s %s; passwords can be read on their way.", at, who)
		s.Next = "add tls_server_config to " + want.web
	case who != nil:
		s.Text = fmt.Sprintf("answers on %s %s.", at, who)
	default:
		s.Text = fmt.Sprintf("answers on %s, unencrypted, to everybody who reaches it.", at)
	}
	return s
}

// loopback is the address on this machine alone, with the same port.
func loopback(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil || a.Addr().IsLoopback() {
		return address // the unit's own is loopback
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
}

func orDefault(address string) string {
	if address == "" {
		return "127.0.0.1:8273"
	}
	return address
}

// ownCertificate looks at when the certificate ends that clients are shown.
func ownCertificate(_ context.Context, now time.Time) probe.Answer {
	text, err := os.ReadFile(webFile)
	if err != nil {
		return probe.Certificates(nil, now)
	}
	who, err := web.Parse(text)
	if err != nil {
		return probe.Certificates(nil, now)
	}
	return probe.Certificates(who.Chain(), now)
}

// hear takes up what came of it, and prints it when it is news.
func (d *daemon) hear(h heard) {
	if h.sentence != nil && (d.listener.sentence == nil || h.sentence.String() != d.listener.sentence.String()) {
		d.say("%s", h.sentence)
	}
	d.listener = h
}
