package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"testing"

	"bootswain/lab/qmp"
)

// machineWithPort is a machine whose monitor knows one port's configuration,
// and keeps what it was asked to do.
type machineWithPort struct {
	*Machine
	config map[int]int // 16 bits by register
	did    []string
}

func newMachineWithPort(t *testing.T, config map[int]int) *machineWithPort {
	ours, theirs := net.Pipe()
	m := &machineWithPort{Machine: &Machine{monitor: qmp.New(ours, nil)}, config: config}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() {
		for in := bufio.NewScanner(theirs); in.Scan(); {
			var q struct {
				Execute   string
				ID        int
				Arguments map[string]string
			}
			if json.Unmarshal(in.Bytes(), &q) != nil {
				return
			}
			answer, _ := json.Marshal(m.answer(q.Execute, q.Arguments["command-line"]))
			fmt.Fprintf(theirs, `{"id":%d,"return":%s}`+"\n", q.ID, answer)
		}
	}()
	return m
}

func (m *machineWithPort) answer(command, line string) any {
	var address int
	if _, err := fmt.Sscanf(line, "xp /1hx 0x%x", &address); err == nil {
		return fmt.Sprintf("%016x: %#04x\r\n", address, m.config[address-configWindow-(firstSlot+2)<<15])
	}
	switch {
	case command != "human-monitor-command":
		m.did = append(m.did, command)
		return struct{}{}
	case line == "i /w 0xcf8":
		return "portl[0x0cf8] = 0x8000186c\r\n"
	}
	m.did = append(m.did, line)
	return ""
}

func TestSwitchOff(t *testing.T) {
	m := newMachineWithPort(t, map[int]int{capabilityList: 0x40, 0x40: 0x5405, 0x54: 0x0010, 0x54 + slotControl: 0x1f1})
	if err := m.switchOff(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"stop",
		"o /w 0xcf8 0x8000506c", // slot 10, register 0x6c
		"o /h 0xcfc 0x7f1",
		"o /h 0xcfc 0x1f1",
		"o /w 0xcf8 0x8000186c", // as the guest had it
		"cont",
	}
	if !slices.Equal(m.did, want) {
		t.Errorf("did %q, not %q", m.did, want)
	}
}

func TestSwitchOffBeforeTheFirmware(t *testing.T) {
	m := newMachineWithPort(t, nil)
	err := m.switchOff(t.Context(), 2)
	if err == nil || err.Error() != "the port has no PCI Express capability yet" {
		t.Errorf("%v", err)
	}
	if want := []string{"stop", "cont"}; !slices.Equal(m.did, want) {
		t.Errorf("did %q, not %q", m.did, want)
	}
}
