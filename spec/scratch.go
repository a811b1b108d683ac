package spec

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// diskSerial is the serial number of a disk of instance storage on Nitro.
var diskSerial = lazily(`^AWS[0-9A-Fa-f]{17}$`)

// instanceStore reads how many of the machine's own disks a volume is made of.
func (r *reader) instanceStore(n *yaml.Node, path string) int {
	if n.Kind == yaml.ScalarNode && n.Value == "all" {
		return AllInstanceStore
	}
	count, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || count < 1 || count > maxDevices {
		r.fault(n, path, "", "is neither all nor a number from 1 to %d", maxDevices)
		return AllInstanceStore
	}
	return count
}

// wholeScratch notes what does not go together in the mapping n of a volume
// that is lost with its machine.
func (r *reader) wholeScratch(n *yaml.Node, path string, v Volume) {
	if ebs := valueOf(n, "ebs"); ebs != nil {
		r.fault(ebs, step(path, "ebs"), "keep one of them", "contradicts instance_store")
	}
	if create := valueOf(n, "create"); create != nil {
		r.fault(create, step(path, "create"), "leave it out", "goes without saying: instance storage is made anew with each boot, if it is blank or this volume's own")
	}
	if !hasKey(n, "encryption") || v.Encryption.Mode != EncryptionEphemeral {
		r.fault(n, step(path, "encryption"), "encryption: ephemeral", "instance storage is lost with its machine, and so is its key")
	}
}
