package lab

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bootswain/lab/nbd"
)

// Volumes returns the volumes that are attached.
func (m *Machine) Volumes() []*Volume {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*Volume
	for _, v := range m.ports {
		if v != nil {
			all = append(all, v)
		}
	}
	return all
}

// claim gives the volume a port of the machine.
func (m *Machine) claim(v *Volume) (port int, err error) {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	if v.owner != nil {
		return 0, fmt.Errorf("cannot attach %s: it is attached to %s", v, v.owner.ID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.ports {
		if m.ports[i] == nil {
			m.ports[i], v.owner = v, m
			return i, nil
		}
	}
	return 0, fmt.Errorf("cannot attach %s: %s has %d volumes already", v, m.ID, ports)
}

func (m *Machine) release(v *Volume) {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.ports {
		if m.ports[i] == v {
			m.ports[i], v.owner = nil, nil
		}
	}
}

// Attach attaches a volume, while the machine runs or is off. It does not wait
// for the guest to see it.
func (m *Machine) Attach(ctx context.Context, v *Volume) error {
	port, err := m.claim(v)
	if err != nil || !m.On() {
		return err
	}
	node := map[string]any{"driver": "nbd", "node-name": v.ID, "export": v.ID,
		"server": map[string]any{"type": "unix", "path": m.lab.nbdSocket()}}
	if err := m.monitor.Do(ctx, "blockdev-add", node, nil); err != nil {
		m.release(v)
		return fmt.Errorf("cannot attach %s: %w", v, err)
	}
	m.update(func() { delete(m.removed, v.ID) })
	device := map[string]any{"driver": "nvme", "id": v.ID, "drive": v.ID, "serial": v.serial(), "bus": portID(port)}
	if err := m.monitor.Do(ctx, "device_add", device, nil); err != nil {
		m.release(v)
		return errors.Join(fmt.Errorf("cannot attach %s: %w", v, err), m.forget(ctx, v))
	}
	return nil
}

func (m *Machine) forget(ctx context.Context, v *Volume) error {
	return m.monitor.Do(ctx, "blockdev-del", map[string]any{"node-name": v.ID}, nil)
}

// attached returns the volume's port.
func (m *Machine) attached(v *Volume) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, p := range m.ports {
		if p == v {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s is not attached to %s", v, m.ID)
}

// Detach asks the guest to let go of the volume and waits until it has, which
// takes five seconds of guest time: so long an attention button blinks.
func (m *Machine) Detach(ctx context.Context, v *Volume) error {
	if _, err := m.attached(v); err != nil {
		return err
	}
	if m.On() {
		if err := m.monitor.Do(ctx, "device_del", map[string]any{"id": v.ID}, nil); err != nil {
			return fmt.Errorf("cannot detach %s: %w", v, err)
		}
		if err := m.gone(ctx, v); err != nil {
			return err
		}
	}
	m.release(v)
	return nil
}

// Pull takes the volume away without asking, as if its cable were cut: what
// the guest has under way fails, and the device is gone.
func (m *Machine) Pull(ctx context.Context, v *Volume) error {
	port, err := m.attached(v)
	if err != nil {
		return err
	}
	if m.On() {
		// QEMU waits for what is under way before it lets a device go, so a
		// volume that hangs has to stop hanging.
		fault := v.Fault()
		v.SetFault(nbd.Fault{ReadError: true, WriteError: true})
		defer v.SetFault(fault)
		if err := m.switchOff(ctx, port); err != nil {
			return fmt.Errorf("cannot pull %s: %w", v, err)
		}
		if err := m.gone(ctx, v); err != nil {
			return err
		}
	}
	m.release(v)
	return nil
}

// gone waits until QEMU has let go of the volume's device.
func (m *Machine) gone(ctx context.Context, v *Volume) error {
	if err := m.wait(ctx, "the removal of "+v.ID, func() bool { return m.removed[v.ID] }); err != nil {
		return err
	}
	return m.forget(ctx, v)
}

// Registers of PCI and of a PCI Express port, as the PCI specifications and
// linux/pci_regs.h name them.
const (
	configAddress   = 0xcf8
	configData      = 0xcfc
	capabilityList  = 0x34
	capabilityPCIe  = 0x10
	slotControl     = 0x18          // within the PCI Express capability
	slotPoweredDown = 0x400 | 0x300 // power controller off, power indicator off
)

// switchOff turns the power of a port off and on again behind the guest's
// back. QEMU then removes the device at once and tells the guest that the slot
// is empty, where device_del would only press the attention button.
//
// The guest stands still meanwhile, since these are the registers through
// which it configures PCI devices itself.
func (m *Machine) switchOff(ctx context.Context, port int) (err error) {
	if err := m.monitor.Do(ctx, "stop", nil, nil); err != nil {
		return err
	}
	c := pciConfig{m: m, ctx: ctx, slot: firstSlot + port}
	before := c.in(configAddress, 'w')
	at := c.capability()
	control := c.read(at+slotControl, 'h')
	c.write(at+slotControl, 'h', control|slotPoweredDown)
	c.write(at+slotControl, 'h', control)
	c.out(configAddress, 'w', before)
	return errors.Join(c.err, m.monitor.Do(ctx, "cont", nil, nil))
}

// pciConfig reaches the configuration of a device on bus 0 through the human
// monitor's port I/O. After an error all its methods do nothing.
type pciConfig struct {
	m    *Machine
	ctx  context.Context
	slot int
	err  error
}

func (c *pciConfig) monitor(format string, args ...any) (answer string) {
	if c.err == nil {
		line := map[string]any{"command-line": fmt.Sprintf(format, args...)}
		c.err = c.m.monitor.Do(c.ctx, "human-monitor-command", line, &answer)
	}
	return answer
}

// in reads an I/O port; the answer looks like "portw[0x0cfc] = 0x1af4".
func (c *pciConfig) in(port int, size byte) uint64 {
	answer := c.monitor("i /%c %#x", size, port)
	if c.err != nil {
		return 0
	}
	_, value, _ := strings.Cut(answer, "= ")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 0, 32)
	if err != nil {
		c.err = fmt.Errorf("QEMU answers %q when asked for an I/O port", answer)
	}
	return n
}

func (c *pciConfig) out(port int, size byte, value uint64) {
	c.monitor("o /%c %#x %#x", size, port, value)
}

func (c *pciConfig) read(register int, size byte) uint64 {
	c.choose(register)
	return c.in(configData+register&3, size)
}

func (c *pciConfig) write(register int, size byte, value uint64) {
	c.choose(register)
	c.out(configData+register&3, size, value)
}

func (c *pciConfig) choose(register int) {
	c.out(configAddress, 'w', 1<<31|uint64(c.slot)<<11|uint64(register&^3))
}

// capability finds the PCI Express capability.
func (c *pciConfig) capability() int {
	for at := int(c.read(capabilityList, 'b')); at != 0 && c.err == nil; at = int(c.read(at+1, 'b')) {
		if c.read(at, 'b') == capabilityPCIe {
			return at
		}
	}
	if c.err == nil {
		c.err = errors.New("the port has no PCI Express capability")
	}
	return 0
}
