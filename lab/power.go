package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"

	"bootswain/lab/nbd"
	"bootswain/lab/qmp"
)

// PowerOn turns the machine on, as it was when it went off. It does not wait
// for it to boot.
func (m *Machine) PowerOn(ctx context.Context) error {
	if m.On() {
		return nil
	}
	if err := m.run(); err != nil {
		return err
	}
	if err := m.monitor.Do(ctx, "qmp_capabilities", nil, nil); err != nil {
		m.kill()
		return fmt.Errorf("cannot run QEMU: %w: %s", err, m.lastWords())
	}
	return nil
}

// SetAppend gives the kernel other parameters from the next PowerOn on.
func (m *Machine) SetAppend(parameters string) { m.update(func() { m.options.Append = parameters }) }

// run starts QEMU and listens to it.
func (m *Machine) run() error {
	for _, d := range disks(m.Volumes()) {
		d.Settle()
	}
	monitor, theirMonitor, err1 := pair("monitor")
	agent, theirAgent, err2 := pair("agent")
	serial, theirSerial, err3 := pair("console")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	m.mu.Lock()
	cmd := exec.Command(qemuBinary, m.arguments()...)
	m.mu.Unlock()
	cmd.Env = append(os.Environ(), relayEnv+"="+m.socket)
	cmd.ExtraFiles = []*os.File{theirMonitor, theirAgent, theirSerial}
	p, err := launch(cmd)
	for _, f := range cmd.ExtraFiles {
		f.Close()
	}
	if err != nil {
		return errors.Join(err, monitor.Close(), agent.Close(), serial.Close())
	}
	m.console.clear()
	go m.console.follow(serial)
	m.update(func() {
		m.process, m.ready = p, false
		m.boots++
		m.agent = qmp.New(agent, nil)
		m.monitor = qmp.New(monitor, func(e qmp.Event) { m.heard(p, e) })
	})
	ctx, cancel := context.WithCancel(context.Background())
	go m.rescue(ctx, p)
	go func() {
		<-p.done
		cancel()
		monitor.Close()
		agent.Close()
		serial.Close()
		if m.revive(p) {
			return
		}
		m.update(func() {
			if m.process == p {
				m.process, m.ready = nil, false
			}
		})
	}()
	return nil
}

// lostTimer is what Linux says when a processor's timer does not fire any more.
const lostTimer = "rcu: \tPossible timer handling issue on cpu="

// rescue resets the machine if the emulator loses a processor's timer while it
// boots, as QEMU's does once in a hundred boots on a busy host: nothing that
// waits for that processor would ever go on.
func (m *Machine) rescue(ctx context.Context, p *process) {
	if m.console.until(ctx, func(text string) bool { return strings.Contains(text, lostTimer) }) != nil {
		return
	}
	m.mu.Lock()
	stuck := m.process == p && !m.ready
	m.mu.Unlock()
	if stuck {
		fmt.Fprintf(m.lab.log, "%s: the emulator lost a processor's timer; reset\n", m.ID)
		_ = m.monitor.Do(ctx, "system_reset", nil, nil) // QEMU is gone, or does it
	}
}

// revive says that QEMU crashed, if it did, and starts it anew if the machine was
// booting: no scenario is about the emulator.
func (m *Machine) revive(p *process) bool {
	if !p.crashed() {
		return false
	}
	fmt.Fprintf(m.lab.log, "%s: QEMU crashed, %s: %s\n", m.ID, p.cmd.ProcessState, p.stderr.String())
	m.mu.Lock()
	booting := m.process == p && !m.ready && m.crashes < crashLimit
	m.crashes++
	m.mu.Unlock()
	return booting && m.run() == nil && m.monitor.Do(context.Background(), "qmp_capabilities", nil, nil) == nil
}

// crashLimit is how often a machine is started anew whose emulator crashed.
const crashLimit = 3

// heard takes note of what QEMU says about the machine that p runs.
func (m *Machine) heard(p *process, e qmp.Event) {
	var d struct {
		ID     string
		Open   bool
		Device string
	}
	_ = json.Unmarshal(e.Data, &d) // events without data leave it empty
	switch {
	case e.Name == "VSERPORT_CHANGE" && d.ID == "agent" && d.Open:
		go m.greet(p)
	case e.Name == "VSERPORT_CHANGE" && d.ID == "agent":
		m.agentGone(0)
	case e.Name == "RESET":
		m.agentGone(1)
	case e.Name == "DEVICE_DELETED":
		m.update(func() { m.removed[d.Device] = true })
	}
}

var errAgentGone = errors.New("the guest agent stopped, or the machine was reset")

func (m *Machine) agentGone(resets int) {
	m.update(func() {
		m.ready = false
		m.boots += resets
		m.agent.Abandon(errAgentGone)
	})
}

// greet waits for the guest agent's first answer.
func (m *Machine) greet(p *process) {
	m.mu.Lock()
	agent, boots := m.agent, m.boots
	m.mu.Unlock()
	if err := agent.Resync(context.Background()); err != nil {
		return // it, or the machine, is gone again
	}
	m.update(func() { m.ready = m.process == p && m.boots == boots })
}

// On says whether the machine has power.
func (m *Machine) On() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process != nil
}

// kill takes the power away.
func (m *Machine) kill() {
	m.mu.Lock()
	p := m.process
	m.mu.Unlock()
	if p == nil {
		return
	}
	p.kill()
	m.update(func() {
		if m.process == p {
			m.process, m.ready = nil, false
		}
	})
}

// lastWords is what QEMU said on its standard error.
func (m *Machine) lastWords() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return ""
	}
	return m.process.stderr.String()
}

// CutOptions say what a power cut does to volumes beyond stopping them.
type CutOptions struct {
	LoseUnflushed bool   // of what was not flushed, lose what Seed chooses
	Seed          uint64 // the same seed and the same writes lose the same
}

// Cut takes the power away at once, and says what each volume lost. All
// volumes stop at one moment.
func (m *Machine) Cut(o CutOptions) (map[*Volume]nbd.Loss, error) {
	volumes := m.Volumes()
	nbd.Freeze(disks(volumes)...)
	defer nbd.Thaw(disks(volumes)...)
	m.kill()
	losses := map[*Volume]nbd.Loss{}
	if !o.LoseUnflushed {
		return losses, nil
	}
	var errs []error
	for _, v := range volumes {
		h := fnv.New64()
		_, _ = h.Write([]byte(v.ID)) // a hash takes everything
		loss, err := v.PowerLoss(rand.New(rand.NewPCG(o.Seed, h.Sum64())))
		losses[v] = loss
		errs = append(errs, err)
	}
	return losses, errors.Join(errs...)
}

// Shutdown asks the guest to shut down and waits until the power is off.
func (m *Machine) Shutdown(ctx context.Context) error {
	if err := m.ask(ctx, "poweroff"); err != nil {
		return err
	}
	m.mu.Lock()
	p := m.process
	m.mu.Unlock()
	if p == nil {
		return nil
	}
	// Not p.done: a PowerOn right after it could still find the machine on.
	return m.wait(ctx, "the guest to shut down", func() bool { return m.process != p })
}

// Reboot asks the guest to reboot and waits until it is up again.
func (m *Machine) Reboot(ctx context.Context) error {
	m.mu.Lock()
	boots := m.boots
	m.mu.Unlock()
	if err := m.ask(ctx, "reboot"); err != nil {
		return err
	}
	if err := m.wait(ctx, "the reset of a reboot", func() bool { return m.boots > boots }); err != nil {
		return err
	}
	return m.Ready(ctx)
}

// ask runs a systemctl verb that may end the guest before it is answered.
func (m *Machine) ask(ctx context.Context, verb string) error {
	out, err := m.Run(ctx, "systemctl", verb)
	switch {
	case errors.Is(err, errAgentGone) || errors.Is(err, qmp.ErrClosed):
		return nil
	case err == nil && out.Code != 0:
		return fmt.Errorf("the guest refuses to %s: %s", verb, out.Stderr)
	}
	return err
}
