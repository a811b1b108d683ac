package lab

import (
	"fmt"
	"strings"

	"bootswain/lab/image"
)

const (
	qemuBinary = "qemu-system-x86_64"
	ports      = 12 // PCI Express ports for volumes
	firstSlot  = 8  // of the first port on bus 0

	// The guest's network is a link-local one, so that the metadata service
	// can have its own address in it. QEMU's DHCP gives guestAddress.
	network      = "169.254.0.0/16"
	guestAddress = "169.254.0.15"
	imdsAddress  = "169.254.169.254"
	awsAddress   = "169.254.169.251" // as lab/image/bake.sh tells the image
)

// File descriptors that QEMU inherits, in the order of exec.Cmd.ExtraFiles.
const (
	fdMonitor = 3 + iota
	fdAgent
	fdConsole
)

// arguments is QEMU's command line for the machine as it is now.
func (m *Machine) arguments() []string {
	a := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "q35,usb=off,sata=off,smbus=off,i8042=off", "-m", fmt.Sprintf("%dM", m.options.Memory>>20),
		// With native hot-plug alone a volume can vanish without the guest
		// being asked.
		"-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
		// By the maker of its firmware systemd knows an EC2 instance.
		"-smbios", "type=0,vendor=Amazon EC2",
		"-kernel", m.options.Image.Kernel, "-append", m.kernelLine(),
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", fdMonitor), "-mon", "chardev=monitor,mode=control",
		"-chardev", fmt.Sprintf("socket,id=console,fd=%d", fdConsole), "-serial", "chardev:console",
		"-device", "virtio-serial-pci,addr=2",
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d", fdAgent),
		"-device", "virtserialport,chardev=agent,id=agent,name=org.qemu.guest_agent.0",
		"-device", "virtio-rng-pci,addr=3",
		"-netdev", m.netdev(), "-device", "virtio-net-pci,netdev=net,romfile=,addr=4",
		"-blockdev", "driver=qcow2,node-name=root,cache.no-flush=on,discard=unmap,file.driver=file,file.cache.no-flush=on,file.filename=" + escape(m.root),
		"-device", "nvme,drive=root,addr=5,serial=" + strings.Replace(m.rootID, "-", "", 1),
	}
	a = append(a, m.processor()...)
	for i := range ports {
		a = append(a, "-device", fmt.Sprintf("pcie-root-port,id=%s,chassis=%d,addr=%#x", portID(i), i+1, firstSlot+i))
	}
	for i, v := range m.ports {
		if v != nil {
			a = append(a, "-blockdev", m.lab.blockdev(v), "-device", fmt.Sprintf("nvme,id=%s,drive=%[1]s,serial=%s,bus=%s", v.ID, v.serial(), portID(i)))
		}
	}
	return a
}

func (m *Machine) kernelLine() string {
	// The emulated processor needs no mitigations, and nobody reads what memory
	// held before; without both a boot costs the host a tenth less. Where two emulated
	// processors run code that one of them changes, a kernel may die of it while it
	// starts; it starts again then.
	return strings.TrimSpace(m.options.Image.Append + " mitigations=off nokaslr init_on_alloc=0 oops=panic panic=1 console=ttyS0 " + m.options.Append)
}

// processor chooses what runs the guest's instructions.
func (m *Machine) processor() []string {
	cpus := fmt.Sprint(m.options.CPUs)
	switch {
	case m.options.CountedTime: // an instruction takes a nanosecond, more than on any machine of a cloud
		return []string{"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm", "-cpu", image.Processor, "-smp", "1"}
	case m.lab.accel == KVM:
		return []string{"-accel", "kvm", "-cpu", "host", "-smp", cpus}
	default:
		return []string{"-accel", "tcg,thread=multi", "-cpu", image.Processor, "-smp", cpus}
	}
}

// netdev lets the guest reach its metadata service, EC2 and nothing else, and the
// host reach the forwarded ports.
func (m *Machine) netdev() string {
	n := "user,id=net,restrict=on,net=" + network + ",dhcpstart=" + guestAddress
	for guest, host := range m.forwards {
		n += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-%s:%d", host, guestAddress, guest)
	}
	for _, service := range []string{imdsAddress, awsAddress} {
		n += fmt.Sprintf(",guestfwd=tcp:%s:80-cmd:%s", service, relayCommand())
	}
	return n
}

// blockdev describes a volume to QEMU's NBD client.
func (l *Lab) blockdev(v *Volume) string {
	return fmt.Sprintf("driver=nbd,node-name=%s,export=%[1]s,server.type=unix,server.path=%s", v.ID, escape(l.nbdSocket()))
}

func portID(i int) string { return fmt.Sprintf("port%d", i) }

// escape doubles commas, as QEMU's option parser wants them.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }
