package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// The port that has been free for longest: the guest may still be busy
	// with what was taken from another.
	port = -1
	for i := range m.ports {
		if m.ports[i] == nil && (port < 0 || m.freed[i] < m.freed[port]) {
			port = i
		}
	}
	if port < 0 {
		return 0, fmt.Errorf("cannot attach %s: %s has %d volumes already", v, m.ID, ports)
	}
	m.ports[port], v.owner = v, m
	m.lab.EC2.Attached(v.ID, m.ID, fmt.Sprintf("/dev/sd%c", 'f'+port))
	return port, nil
}

func (m *Machine) release(v *Volume) {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.ports {
		if m.ports[i] == v {
			m.ports[i], v.owner = nil, nil
			m.lab.EC2.Detached(v.ID)
			m.releases++
			m.freed[i] = m.releases
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
	m.awaitPulls(ctx)
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
		m.update(func() { m.pulled = append(m.pulled, port) })
	}
	m.release(v)
	return nil
}

// pullTime is how long a guest may take to notice what was pulled; one that
// has not booted yet never does.
const pullTime = 20 * time.Second

// awaitPulls waits until the guest has noticed what was pulled, which shows in
// its turning the power of the port off. A volume that comes back sooner is
// taken for the old one, and refused.
func (m *Machine) awaitPulls(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	var pulled []int
	m.update(func() { pulled, m.pulled = m.pulled, nil })
	for _, port := range pulled {
		_ = WaitFor(ctx, "the guest to notice", func(ctx context.Context) error {
			at, err := m.slotControl(ctx, port)
			if err != nil {
				return err
			}
			if control, err := m.config(ctx, port, at); err != nil || control&slotPowerOff == 0 {
				return errors.New("the port has power")
			}
			return nil
		})
	}
}

// gone waits until QEMU has let go of the volume's device.
func (m *Machine) gone(ctx context.Context, v *Volume) error {
	if err := m.wait(ctx, "the removal of "+v.ID, func() bool { return m.removed[v.ID] }); err != nil {
		return err
	}
	return m.forget(ctx, v)
}
