package fakehost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"bootswain/internal/run"
)

// headerSize is the size of one copy of a header.
const headerSize = 16 << 10

// crypt is what a mapping has beside its device.
type crypt struct {
	name  string
	uuid  string
	plain bool   // not encrypted
	at    int64  // where its data begins
	pad   byte   // what encrypts in the model: a byte for an exclusive or
	under string // file
	size  int64
	next  int64 // sectors of the table that is loaded and not yet live

	pending bool   // something was written to it that is not below it yet
	filled  uint64 // version of what it was read from
}

func (c *crypt) dmUUID() string {
	if c.plain {
		return "BOOTSWAIN-PLAIN-" + c.name
	}
	return "CRYPT-LUKS2-" + strings.ReplaceAll(c.uuid, "-", "") + "-" + c.name
}

// flush encrypts what the mapping holds.
func (c *crypt) flush(n *node) error {
	c.pending, c.filled = false, 0
	return copyData(c.under, c.at, n.file, 0, n.size, c.pad)
}

// fill decrypts what is below the mapping.
func (c *crypt) fill(n *node) error {
	now := version(c.under)
	if now == c.filled {
		return nil
	}
	c.filled = now
	return copyData(n.file, 0, c.under, c.at, n.size, c.pad)
}

func (m *Machine) cryptsetup(c run.Cmd, options map[string]string, words []string) error {
	switch words[0] {
	case "luksFormat":
		return m.luksFormat(c, options, words[1])
	case "token":
		return m.token(c, options, words[2])
	case "luksAddKey":
		return m.addKey(c, options, words[1])
	case "luksKillSlot":
		return m.killSlot(c, words[1], words[2])
	case "luksHeaderRestore":
		return m.restoreHeader(c, options, words[1])
	case "open":
		return m.openCrypt(c, options, words[1:])
	case "close":
		return m.closeCrypt(c, words[1])
	case "resize":
		return m.resizeCrypt(c, words[1])
	}
	return exit(c, 1, "unknown action")
}

func (m *Machine) luksFormat(c run.Cmd, options map[string]string, path string) error {
	n, err := m.device(c, 4, path)
	if err != nil {
		return err
	}
	if m.busy(n) {
		return exit(c, 5, "Cannot exclusively open %s, device in use.", path)
	}
	m.checkHeader(n.file, 0, m.labels([]string{n.name})[0], "luksFormat")
	noise := make([]byte, 8<<10)
	for i := range noise {
		noise[i] = byte(m.chance.Uint32())
	}
	at, _ := strconv.ParseInt(options["--offset"], 10, 64)
	at *= 512
	sector, _ := strconv.Atoi(options["--sector-size"])
	h := &header{
		Keyslots: map[string]slot{}, Tokens: map[string]json.RawMessage{}, Digests: raw(map[string]any{}), Config: raw(map[string]any{}),
		Segments: map[string]segment{"0": {"crypt", strconv.FormatInt(at, 10), "0", "dynamic", options["--cipher"], sector}},
		uuid:     options["--uuid"], label: options["--label"], sub: options["--subsystem"], Pad: noise[0] | 1,
	}
	if err := m.all(
		func() error { return put(n.file, 0, zeros[:min(at, int64(len(zeros)))]) },
		func() error { return put(n.file, 32<<10, noise[:4<<10]) },
		func() error { return put(n.file, 96<<10, noise[4<<10:]) },
	); err != nil {
		return err
	}
	if err := m.writeHeader(n.file, h); err != nil {
		return err
	}
	return m.fillKeyslot(n.file, h, 0, c.Stdin, options["--pbkdf"])
}

func (m *Machine) token(c run.Cmd, options map[string]string, path string) error {
	n, h, err := m.luksDevice(c, path)
	if err != nil {
		return err
	}
	if _, there := h.Tokens[options["--token-id"]]; there && !has(options, "--token-replace") {
		return exit(c, 1, "Token %s in use.", options["--token-id"])
	}
	if !json.Valid(c.Stdin) {
		return exit(c, 1, "Failed to import token from file.")
	}
	h.Tokens[options["--token-id"]] = c.Stdin
	return m.writeHeader(n.file, h)
}

func (m *Machine) openCrypt(c run.Cmd, options map[string]string, words []string) error {
	path, name := words[0], ""
	if len(words) > 1 {
		name = words[1]
	}
	n, h, err := m.luksDevice(c, path)
	if err != nil {
		return err
	}
	switch {
	case name != "" && m.find(m.path("dev/mapper", name)) != nil:
		return exit(c, 5, "Device %s already exists.", name)
	case h.unlock(n.file, c.Stdin, -1) < 0:
		return exit(c, 2, "No key available with this passphrase.")
	case has(options, "--test-passphrase"):
		return nil
	}
	at, _ := strconv.ParseInt(h.Segments["0"].Offset, 10, 64)
	return m.openMapping(n, n.size-at, &crypt{name: name, uuid: h.uuid, at: at, pad: h.Pad})
}

// openMapping makes a mapping over a device.
func (m *Machine) openMapping(n *node, size int64, c *crypt) error {
	return m.all(func() error {
		for i := 0; ; i++ {
			kernel := fmt.Sprintf("dm-%d", i)
			if m.nodes[kernel] != nil {
				continue
			}
			up := &node{name: kernel, file: m.path("run", kernel), size: size, number: fmt.Sprintf("253:%d", i), below: []string{n.name}, crypt: c}
			c.under, c.size = n.file, size
			err := errors.Join(os.WriteFile(up.file, nil, 0o600), os.Truncate(up.file, up.size), c.fill(up))
			if err != nil {
				return err
			}
			m.add(up)
			return os.Symlink(filepath.Join("..", kernel), m.path("dev/mapper", c.name))
		}
	})
}

func (m *Machine) closeCrypt(c run.Cmd, name string) error {
	n := m.find(m.path("dev/mapper", name))
	if n == nil {
		return exit(c, 4, "Device %s is not active.", name)
	}
	if m.busy(n) {
		return exit(c, 5, "Device %s is still in use.", name)
	}
	return m.all(func() error { m.settle(); m.remove(n); return nil })
}

func (m *Machine) dmsetup(c run.Cmd, options map[string]string, words []string) error {
	if words[0] == "create" {
		return m.createLinear(c, options["--table"], words[1])
	}
	n := m.find(m.path("dev/mapper", words[1]))
	if n == nil {
		return exit(c, 1, "Device %s not found: No such device or address", words[1])
	}
	switch words[0] {
	case "reload":
		_, err := fmt.Sscanf(options["--table"], "0 %d linear", &n.crypt.next)
		return err
	case "resume":
		return m.all(func() error { return m.resize(n, n.crypt.next*512) })
	}
	if m.busy(n) {
		return exit(c, 1, "device-mapper: remove ioctl on %s failed: Device or resource busy", words[1])
	}
	return m.all(func() error { m.remove(n); return nil })
}

func (m *Machine) createLinear(c run.Cmd, table, name string) error {
	var sectors int64
	var device string
	if _, err := fmt.Sscanf(table, "0 %d linear %s 0", &sectors, &device); err != nil {
		return exit(c, 1, "Invalid format on line 1 of table")
	}
	n, err := m.device(c, 1, device)
	if err != nil {
		return err
	}
	if m.busy(n) || m.find(m.path("dev/mapper", name)) != nil || sectors*512 > n.size {
		return exit(c, 1, "device-mapper: create ioctl on %s failed: Device or resource busy", name)
	}
	return m.openMapping(n, sectors*512, &crypt{name: name, plain: true})
}

func (m *Machine) resizeCrypt(c run.Cmd, name string) error {
	n := m.find(m.path("dev/mapper", name))
	if n == nil {
		return exit(c, 4, "Device %s is not active.", name)
	}
	below := m.nodes[n.below[0]]
	if h, _ := readHeader(below.file, 0); h == nil || h.unlock(below.file, c.Stdin, -1) < 0 {
		return exit(c, 2, "No key available with this passphrase.")
	}
	return m.all(func() error { return m.resize(n, below.size-n.crypt.at) })
}

// resize gives a mapping more room.
func (m *Machine) resize(n *node, size int64) error {
	n.size, n.crypt.size = size, size
	return os.Truncate(n.file, size)
}
