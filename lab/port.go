package lab

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Registers of PCI and of a PCI Express port, as the PCI specifications and
// linux/pci_regs.h name them.
const (
	configAddress     = 0xcf8      // I/O ports through which the guest configures devices
	configData        = 0xcfc      //
	configWindow      = 0xb0000000 // the same as memory, where the firmware of QEMU's q35 puts it
	capabilityList    = 0x34
	capabilityExpress = 0x10
	slotControl       = 0x18 // within the PCI Express capability
	slotPowerOff      = 0x400
	slotIndicatorOff  = 0x300
)

// switchOff turns the power of a port off and on again behind the guest's
// back. QEMU then removes the device at once and tells the guest that the slot
// is empty, where device_del would only press the attention button.
//
// QEMU's monitor cannot write to the memory window, so this goes through the
// I/O ports, and the guest, which uses them, too, stands still meanwhile.
func (m *Machine) switchOff(ctx context.Context, port int) error {
	if err := m.monitor.Do(ctx, "stop", nil, nil); err != nil {
		return err
	}
	return errors.Join(m.blink(ctx, port), m.monitor.Do(ctx, "cont", nil, nil))
}

func (m *Machine) blink(ctx context.Context, port int) error {
	at, err := m.slotControl(ctx, port)
	if err != nil {
		return err
	}
	control, err := m.config(ctx, port, at)
	if err != nil {
		return err
	}
	before, err := m.number(ctx, fmt.Sprintf("i /w %#x", configAddress), "= ")
	if err != nil {
		return err
	}
	address := 1<<31 | (firstSlot+port)<<11 | at
	for _, write := range []string{
		fmt.Sprintf("o /w %#x %#x", configAddress, address&^3),
		fmt.Sprintf("o /h %#x %#x", configData+at&3, control|slotPowerOff|slotIndicatorOff),
		fmt.Sprintf("o /h %#x %#x", configData+at&3, control),
		fmt.Sprintf("o /w %#x %#x", configAddress, before),
	} {
		if _, err := m.human(ctx, write); err != nil {
			return err
		}
	}
	return nil
}

// slotControl finds the slot control register of a port.
func (m *Machine) slotControl(ctx context.Context, port int) (int, error) {
	next, err := m.config(ctx, port, capabilityList)
	for at := next & 0xff; at >= 0x40 && err == nil; at = next >> 8 {
		if next, err = m.config(ctx, port, at); next&0xff == capabilityExpress && err == nil {
			return at + slotControl, nil
		}
	}
	if err == nil {
		err = errors.New("the port has no PCI Express capability yet")
	}
	return 0, err
}

// config reads 16 bits of a port's configuration.
func (m *Machine) config(ctx context.Context, port, register int) (int, error) {
	return m.number(ctx, fmt.Sprintf("xp /1hx %#x", configWindow+(firstSlot+port)<<15+register), ": ")
}

// number asks the human monitor something whose answer is a number behind a
// label, such as "portl[0x0cf8] = 0x8000186c".
func (m *Machine) number(ctx context.Context, question, label string) (int, error) {
	answer, err := m.human(ctx, question)
	if err != nil {
		return 0, err
	}
	_, value, _ := strings.Cut(answer, label)
	n, err := strconv.ParseUint(strings.TrimSpace(value), 0, 32)
	if err != nil {
		return 0, fmt.Errorf("QEMU answers %q to %q", answer, question)
	}
	return int(n), nil
}

// human asks QEMU's monitor for people, which knows more than the other.
func (m *Machine) human(ctx context.Context, line string) (answer string, err error) {
	err = m.monitor.Do(ctx, "human-monitor-command", map[string]any{"command-line": line}, &answer)
	return answer, err
}
