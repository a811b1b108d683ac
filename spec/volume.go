package spec

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// volumeName fits everywhere the name goes. The narrowest place is the 32-byte
// array name of an md 1.2 superblock, "bootswain:NAME", where mdadm needs one
// byte to spare.
var volumeName = lazily(`^[a-z][a-z0-9_-]{0,20}$`)

var (
	volumeID    = lazily(`^vol-([0-9a-f]{8}|[0-9a-f]{17})$`)
	fingerprint = lazily(`^[0-9a-f]{6,64}$`)
)

// volumes reads the mapping of named volumes, and what they must not share.
func (r *reader) volumes(n *yaml.Node, path string) (volumes []Volume) {
	c := claims{taken: make(map[string]string)}
	for name, pair := range r.pairs(n, path) {
		where := step(path, name)
		if !volumeName.MatchString(name) {
			r.fault(pair.key, where, "at most 21 of a-z, 0-9, - and _, beginning with a letter", "cannot be a volume's name")
		}
		v := r.volume(name, pair.value, where)
		r.claim(&c, v, pair.value, where)
		volumes = append(volumes, v)
	}
	return volumes
}

func (r *reader) volume(name string, n *yaml.Node, path string) Volume {
	var wipe func()
	v := Volume{Name: name, OverdueAfter: DefaultOverdueAfter, Required: true}
	r.mapping(n, path, fields{
		"ebs":        func(n *yaml.Node, path string) { v.EBS = r.ebs(n, path) },
		"create":     func(n *yaml.Node, path string) { v.Create = r.create(n, path) },
		"encryption": func(n *yaml.Node, path string) { v.Encryption = r.encryption(n, path) },
		"filesystem": func(n *yaml.Node, path string) { v.Filesystem = r.filesystem(n, path) },
		"mount":      func(n *yaml.Node, path string) { v.Mount = r.mount(n, path) },
		"overdue_after": func(n *yaml.Node, path string) {
			if d, ok := r.duration(n, path); ok {
				v.OverdueAfter = d
			}
		},
		"required": func(n *yaml.Node, path string) {
			if required, ok := r.boolean(n, path); ok {
				v.Required = required
			}
		},
		"wipe": func(n *yaml.Node, path string) {
			wipe = func() { v.Wipe = r.wipe(n, path, v) } // ebs may stand below it
		},
		"instance_store": func(n *yaml.Node, path string) { v.InstanceStore = r.instanceStore(n, path) },
		"prefill": func(n *yaml.Node, path string) {
			if prefill, ok := r.boolean(n, path); ok {
				v.Prefill = prefill
			}
		},
	})
	if wipe != nil {
		wipe()
	}
	r.wholeVolume(n, path, v)
	return v
}

// wholeVolume notes what the mapping n of v lacks, and what does not go
// together in it.
func (r *reader) wholeVolume(n *yaml.Node, path string, v Volume) {
	r.required(n, path, "mount", "as in mount: /srv/"+v.Name)
	if hasKey(n, "instance_store") {
		r.wholeScratch(n, path, v)
		return
	}
	r.required(n, path, "ebs", "ebs: {ids: [vol-…]} or ebs: {devices: [/dev/sdf]}")
	if hasKey(n, "create") {
		r.required(n, path, "encryption", "what is created needs a key: encryption: {sealed: …}, made by bootswain seal")
	}
	if v.Encryption.Mode == EncryptionEphemeral {
		r.fault(valueOf(n, "encryption"), step(path, "encryption"), "instance_store: all in place of ebs", "ephemeral forgets the key with each boot, and an EBS volume outlives that")
	}
	if v.Encryption.Mode == EncryptionNone && len(v.Name) > maxLabel {
		r.fault(valueOf(n, "encryption"), step(path, "encryption"), "a shorter name", "a volume that is not encrypted is known by its file system's label, which has room for %d bytes", maxLabel)
	}
	if prefill := valueOf(n, "prefill"); v.Prefill {
		r.fault(prefill, step(path, "prefill"), "leave it out", "is for instance_store")
	}
	if create := valueOf(n, "create"); create != nil && hasKey(valueOf(n, "ebs"), "restore") {
		r.fault(create, step(path, "create"), "leave it out", "would make something new, but ebs.restore brings what is there")
	}
	if wipe := valueOf(n, "wipe"); wipe != nil && !hasKey(n, "create") {
		r.fault(wipe, step(path, "wipe"), "add create: if_blank, or leave wipe out", "throws content away, but nothing would be created after it")
	}
}

// maxLabel is the size of a label in XFS's superblock, the smaller of the two.
const maxLabel = 12

func (r *reader) create(n *yaml.Node, path string) Create {
	text, ok := r.text(n, path)
	if ok && text != string(CreateIfBlank) {
		r.fault(n, path, "if_blank; leave it out to never format", "%s is not known", show(text))
		return CreateNever
	}
	return Create(text)
}

func (r *reader) filesystem(n *yaml.Node, path string) Filesystem {
	f := Filesystem{}
	r.mapping(n, path, fields{
		"type": func(n *yaml.Node, path string) {
			t, ok := r.text(n, path)
			switch {
			case !ok:
			case t != "xfs" && t != "ext4":
				r.fault(n, path, "xfs or ext4", "%s is not supported by this version", show(t))
			default:
				f.Type = t
			}
		},
		"options": func(n *yaml.Node, path string) { f.Options = r.mountOptions(n, path) },
	})
	return f
}

var mountOption = lazily(`^[a-z0-9_-]+(=[A-Za-z0-9_./:+-]+)?$`)

// ownOptions would change when, where or by whom the volume is mounted, which
// is bootswain's to say.
var ownOptions = []string{"auto", "noauto", "nofail", "defaults", "remount", "bind", "rbind", "move", "loop", "user", "users", "owner", "group", "_netdev"}

func (r *reader) mountOptions(n *yaml.Node, path string) []string {
	options, ok := r.texts(n, path, ",")
	if !ok {
		return nil
	}
	for i, o := range options {
		switch {
		case !mountOption.MatchString(o):
			r.fault(item(n, i), path, "", "%s is not a mount option", show(o))
		case slices.Contains(ownOptions, o) || strings.HasPrefix(o, "x-"):
			r.fault(item(n, i), path, "leave it out", "%s is for bootswain to say", show(o))
		case slices.Contains(options[:i], o):
			r.fault(item(n, i), path, "", "%s is given twice", show(o))
		}
	}
	return options
}

// wipe reads which content of v's devices is released.
func (r *reader) wipe(n *yaml.Node, path string, v Volume) (wipes []Wipe) {
	if !r.kind(n, path, yaml.SequenceNode) {
		return nil
	}
	for i, entry := range n.Content {
		var w Wipe
		where := at(path, i)
		r.mapping(entry, where, fields{
			"volume": func(n *yaml.Node, path string) {
				id, ok := r.text(n, path)
				switch {
				case !ok:
				case v.InstanceStore != 0 && !diskSerial.MatchString(id):
					r.fault(n, path, "AWS and 17 hexadecimal digits", "%s is not the serial number of an instance storage disk", show(id))
				case v.InstanceStore == 0 && !volumeID.MatchString(id):
					r.fault(n, path, "vol- and 17 hexadecimal digits", "%s is not a volume id", show(id))
				case len(v.EBS.IDs) > 0 && !slices.Contains(v.EBS.IDs, id):
					r.fault(n, path, "", "%s is not one of ebs.ids", show(id))
				case slices.ContainsFunc(wipes, func(w Wipe) bool { return w.Volume == id }):
					r.fault(n, path, "", "%s is given twice", show(id))
				}
				w.Volume = id
			},
			"found": func(n *yaml.Node, path string) {
				var ok bool
				if w.Found, ok = r.fingerprint(n, path); ok && !fingerprint.MatchString(w.Found) {
					r.fault(n, path, "copy it from the refusal", "%s is not a fingerprint", show(w.Found))
				}
			},
		})
		r.required(entry, where, "volume", "")
		r.required(entry, where, "found", "the fingerprint that the refusal printed")
		wipes = append(wipes, w)
	}
	return wipes
}

// fingerprint reads text that YAML may take for a number: 123456 or 12e456.
// The digits are as written, so there is nothing to misread.
func (r *reader) fingerprint(n *yaml.Node, path string) (string, bool) {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
		return n.Value, true
	}
	return r.text(n, path)
}
