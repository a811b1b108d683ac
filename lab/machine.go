package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"bootswain/lab/ec2"
	"bootswain/lab/image"
	"bootswain/lab/imds"
	"bootswain/lab/qmp"
)

// MachineOptions say what to boot and what the machine is told.
type MachineOptions struct {
	Image      image.Image
	UserData   []byte   // nil: none is given
	PublicKeys []string // the EC2 key pair, as authorized_keys lines
	Volumes    []*Volume
	Tags       map[string]string
	Role       string     // of the instance profile; "": none, so that EC2 answers the guest nothing
	IMDS       imds.Fault // of the metadata service, from the start

	InstanceID  string // "": a new one
	Append      string // more kernel parameters
	CPUs        int    // 0: two, with which a boot costs the host less in all than with one
	Memory      int64  // bytes; 0: 1.5 GiB
	Ports       []int  // guest TCP ports to reach from the host, beside SSH and health
	CountedTime bool   // the guest's clock counts its instructions: slower, but timings repeat whatever else the host does
}

// HealthPort is where the image's health listener answers.
const HealthPort = 8273

// Machine is a virtual machine. Its methods may be used at the same time.
type Machine struct {
	ID   string // "i-0…"
	IMDS *imds.Server

	lab      *Lab
	options  MachineOptions
	root     string // its root disk's file
	rootID   string
	socket   string // where the metadata service listens
	web      *http.Server
	console  *console
	forwards map[int]int // guest port to host port

	mu       sync.Mutex
	ports    [ports]*Volume
	freed    [ports]int // when each was freed, in releases
	releases int
	pulled   []int    // ports whose volume was pulled since the last attachment
	process  *process // nil: the power is off
	monitor  *qmp.Conn
	agent    *qmp.Conn
	ready    bool            // the guest agent answers
	boots    int             // power-ons and resets
	crashes  int             // of the emulator
	removed  map[string]bool // devices that QEMU has let go
	changed  chan struct{}   // closed and replaced when any of these change
}

// ErrOff is what waiting for a machine without power comes to.
var ErrOff = errors.New("the machine is off")

// Start makes a machine and turns it on. It does not wait for it to boot.
func (l *Lab) Start(ctx context.Context, o MachineOptions) (*Machine, error) {
	if o.CPUs == 0 {
		o.CPUs = 2
	}
	if o.Memory == 0 {
		o.Memory = 1536 << 20
	}
	if o.InstanceID == "" {
		o.InstanceID = l.newID("i")
	}
	m := &Machine{ID: o.InstanceID, lab: l, options: o, rootID: l.newID("vol"), removed: map[string]bool{}, changed: make(chan struct{})}
	m.IMDS = imds.New(m.instance())
	m.IMDS.SetFault(o.IMDS)
	l.EC2.SetInstance(ec2.Instance{ID: m.ID, Zone: zone})
	if o.Role != "" {
		m.IMDS.SetRole(o.Role, l.EC2.Credentials(m.ID, o.Role).JSON())
	}
	err := m.prepare(ctx)
	if err == nil {
		err = m.PowerOn(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start a machine: %w", err), m.Close())
	}
	return m, nil
}

// prepare makes all that the machine keeps from boot to boot.
func (m *Machine) prepare(ctx context.Context) error {
	base := filepath.Join(m.lab.dir, m.ID+"-"+rand.Text()[:6])
	m.root, m.socket = base+".qcow2", base+".sock"
	m.lab.mu.Lock()
	m.lab.machines = append(m.lab.machines, m)
	m.lab.mu.Unlock()
	for _, v := range m.options.Volumes {
		if _, err := m.claim(v); err != nil {
			return err
		}
	}
	out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", m.options.Image.Root, "-F", m.options.Image.Format, m.root).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot make the root disk: %w: %s", err, out)
	}
	if m.console, err = openConsole(base + ".console"); err != nil {
		return err
	}
	l, err := net.Listen("unix", m.socket)
	if err != nil {
		return err
	}
	m.web = &http.Server{Handler: m.services(), ReadHeaderTimeout: time.Minute}
	go func() { _ = m.web.Serve(l) }() // it ends with Close
	m.forwards, err = freePorts(append([]int{22, HealthPort}, m.options.Ports...))
	return err
}

// freePorts finds a free port of the host for each port of the guest.
func freePorts(guest []int) (map[int]int, error) {
	forwards := map[int]int{}
	for _, g := range guest {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // held until all are found, so that no two are the same
		forwards[g] = l.Addr().(*net.TCPAddr).Port
	}
	return forwards, nil
}

// instance is what the metadata service knows of the machine.
func (m *Machine) instance() imds.Instance {
	i := imds.Instance{
		ID: m.ID, Region: region, Zone: zone, Type: "lab.small", ImageID: "ami-0b0075a1000000000",
		AccountID: "123456789012", PrivateIP: guestAddress, Hostname: "ip-169-254-0-15.eu-central-1.compute.internal",
		Launched: time.Now(), UserData: m.options.UserData, PublicKeys: m.options.PublicKeys, Tags: m.options.Tags,
		Devices: map[string]string{"ami": "/dev/xvda", "root": "/dev/xvda"},
	}
	for n := range m.options.Volumes {
		i.Devices[fmt.Sprintf("ebs%d", n+1)] = fmt.Sprintf("sd%c", 'f'+n)
	}
	return i
}

// Close turns the machine off for ever and removes its root disk. Its volumes
// can then be attached elsewhere. The console's file stays.
func (m *Machine) Close() error {
	m.kill()
	m.lab.EC2.SetInstance(ec2.Instance{ID: m.ID, Zone: zone, State: "terminated"})
	m.lab.mu.Lock()
	for _, v := range m.lab.volumes {
		if v.owner == m {
			v.owner = nil
		}
	}
	m.lab.machines = slices.DeleteFunc(m.lab.machines, func(o *Machine) bool { return o == m })
	m.lab.mu.Unlock()
	var errs []error
	if m.web != nil {
		errs = append(errs, m.web.Close())
	}
	if m.console != nil {
		errs = append(errs, m.console.file.Close())
	}
	if err := os.Remove(m.root); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ConsoleFile is the file that holds all that the machine ever wrote to its
// serial line.
func (m *Machine) ConsoleFile() string { return m.console.file.Name() }

// WaitConsole waits until the console has said something that matches, since
// the power came last, and returns the match.
func (m *Machine) WaitConsole(ctx context.Context, pattern string) (string, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	return m.console.wait(ctx, re)
}

// Addr is where the host reaches a TCP port of the guest.
func (m *Machine) Addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", m.forwards[port]) }

// update changes the machine's state and tells those who wait for it.
func (m *Machine) update(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	close(m.changed)
	m.changed = make(chan struct{})
}

// wait returns when the condition, asked with m.mu held, is true. A machine
// without power ends the wait, unless that is what the condition is about.
func (m *Machine) wait(ctx context.Context, what string, condition func() bool) error {
	for {
		m.mu.Lock()
		met, off, changed := condition(), m.process == nil, m.changed
		m.mu.Unlock()
		switch {
		case met:
			return nil
		case off:
			return fmt.Errorf("cannot wait for %s: %w", what, ErrOff)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for %s any longer: %w", what, ctx.Err())
		}
	}
}

// RootDisk returns the file of the machine's root disk, a qcow2 overlay, to be
// looked at while the machine is off.
func (m *Machine) RootDisk() string { return m.root }
