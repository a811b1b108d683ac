package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"bootswain/lab"
	"bootswain/lab/imds"
)

type none struct{}

func (s *server) doUp(ctx context.Context, log io.Writer, up Up) (any, error) {
	if _, err := s.current(); err == nil {
		return nil, errors.New("this laboratory has a machine already; see: lab replace")
	}
	for _, size := range up.Volumes {
		if _, err := s.newVolume(size); err != nil {
			return nil, err
		}
	}
	return none{}, s.boot(ctx, log, up, slices.Clone(s.volumes))
}

// doVolume makes a blank volume of this size and returns its id. One that is
// made before "up" is attached then.
func (s *server) doVolume(_ context.Context, _ io.Writer, size int64) (any, error) {
	v, err := s.newVolume(size)
	if err != nil {
		return nil, err
	}
	return v.ID, nil
}

// boot starts a machine and tells how it comes up.
func (s *server) boot(ctx context.Context, log io.Writer, up Up, volumes []*lab.Volume) error {
	o := lab.MachineOptions{
		Image: up.Image, UserData: up.UserData, Volumes: volumes, IMDS: up.IMDS,
		CPUs: up.CPUs, Memory: up.Memory, Append: up.Append, CountedTime: up.CountedTime,
	}
	if up.PublicKey != "" {
		o.PublicKeys = []string{up.PublicKey}
	}
	w := newWatch(log)
	m, err := s.lab.Start(ctx, o)
	if err != nil {
		return err
	}
	s.looking.Lock()
	s.machine, s.up = m, up
	s.looking.Unlock()
	w.say("%s is on (%s)", m.ID, s.lab.Accel().Describe())
	return w.boot(ctx, m, up.Image.Recipient != "")
}

func (s *server) doReplace(ctx context.Context, log io.Writer, r Replace) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	volumes, up := m.Volumes(), s.up
	if !r.KeepUserData {
		up.UserData = r.UserData
	}
	if err := m.Close(); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "%s is gone; its volumes go to a new machine\n", m.ID)
	return none{}, s.boot(ctx, log, up, volumes)
}

func (s *server) doCut(ctx context.Context, log io.Writer, c Cut) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	losses, err := m.Cut(lab.CutOptions{LoseUnflushed: c.LoseUnflushed, Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(log, "the power is cut")
	for v, l := range losses {
		fmt.Fprintf(log, "%s: %d writes not flushed, of these %d lost and %d torn\n", v, l.Unflushed, l.Dropped, l.Torn)
	}
	if c.StayOff {
		return none{}, nil
	}
	return s.doStart(ctx, log, none{})
}

func (s *server) doStart(ctx context.Context, log io.Writer, _ none) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	if m.On() {
		return nil, errors.New("the machine is on")
	}
	w := newWatch(log)
	if err := m.PowerOn(ctx); err != nil {
		return nil, err
	}
	w.say("%s is on (%s)", m.ID, s.lab.Accel().Describe())
	return none{}, w.boot(ctx, m, s.up.Image.Recipient != "")
}

func (s *server) doReboot(ctx context.Context, log io.Writer, _ none) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	w := newWatch(log)
	if err := m.Reboot(ctx); err != nil {
		return nil, err
	}
	return none{}, w.boot(ctx, m, s.up.Image.Recipient != "")
}

func (s *server) doShutdown(ctx context.Context, log io.Writer, _ none) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	w := newWatch(log)
	if err := m.Shutdown(ctx); err != nil {
		return nil, err
	}
	w.say("the guest has shut down")
	return none{}, nil
}

func (s *server) doAttach(ctx context.Context, log io.Writer, a Attach) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	var v *lab.Volume
	if a.Volume == "" {
		v, err = s.newVolume(a.Size)
	} else {
		v, err = s.volume(a.Volume)
	}
	if err != nil {
		return nil, err
	}
	if err := m.Attach(ctx, v); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "%s is attached\n", v)
	return none{}, nil
}

func (s *server) doPull(ctx context.Context, log io.Writer, name string) (any, error) {
	return s.take(name, func(m *lab.Machine, v *lab.Volume) error { return m.Pull(ctx, v) }, log)
}

func (s *server) doDetach(ctx context.Context, log io.Writer, name string) (any, error) {
	return s.take(name, func(m *lab.Machine, v *lab.Volume) error { return m.Detach(ctx, v) }, log)
}

func (s *server) take(name string, how func(*lab.Machine, *lab.Volume) error, log io.Writer) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	v, err := s.volume(name)
	if err != nil {
		return nil, err
	}
	if err := how(m, v); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "%s is gone from the machine\n", v)
	return none{}, nil
}

func (s *server) doFault(_ context.Context, _ io.Writer, f Fault) (any, error) {
	v, err := s.volume(f.Volume)
	if err != nil {
		return nil, err
	}
	v.SetFault(f.Fault)
	return none{}, nil
}

func (s *server) doIMDS(_ context.Context, _ io.Writer, f imds.Fault) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	m.IMDS.SetFault(f)
	return none{}, nil
}

func (s *server) doRun(ctx context.Context, _ io.Writer, r Run) (any, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	return m.RunInput(ctx, r.Stdin, r.Args[0], r.Args[1:]...)
}

func (s *server) doDown(context.Context, io.Writer, none) (any, error) {
	s.end()
	return none{}, nil
}

func (s *server) doStatus(context.Context, io.Writer, none) (any, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	st := Status{Name: s.name, Dir: s.dir, Accel: string(s.lab.Accel()), PrivateKey: s.up.PrivateKey}
	var attached []*lab.Volume
	if m := s.machine; m != nil {
		st.Instance, st.On, st.Console = m.ID, m.On(), m.ConsoleFile()
		st.SSH, st.Health = m.Addr(22), m.Addr(lab.HealthPort)
		st.IMDS, st.Requests = m.IMDS.Fault(), len(m.IMDS.Requests())
		attached = m.Volumes()
	}
	for _, v := range s.volumes {
		st.Volumes = append(st.Volumes, Volume{v.ID, v.Size(), slices.Contains(attached, v), v.Fault(), v.Stats()})
	}
	return st, nil
}

func (s *server) newVolume(size int64) (*lab.Volume, error) {
	v, err := s.lab.Volume(size)
	if err != nil {
		return nil, err
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	s.volumes = append(s.volumes, v)
	return v, nil
}

// volume finds a volume by its number in the status, its id, or the beginning
// of its id if no other begins so.
func (s *server) volume(name string) (*lab.Volume, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(s.volumes) {
		return s.volumes[n-1], nil
	}
	var found []*lab.Volume
	for _, v := range s.volumes {
		if strings.HasPrefix(v.ID, name) {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d volumes are called %q; see: lab status", len(found), name)
	}
	return found[0], nil
}
