// Package spec knows what launch data means. It turns bytes into a *Spec, or
// into a list of every fault with its place; it touches nothing and asks
// nobody.
package spec

import (
	"slices"
	"time"
)

// Spec is what an instance was asked to be.
type Spec struct {
	Version   int        // 1
	Users     []User     // in document order
	UsersFrom *UsersFrom // nil: who is named here is all
	Volumes   []Volume   // in document order
	MySQL     *MySQL     // nil: bootswain leaves the database alone
	Health    Health
	IMDS      IMDS
	Env       []Variable // in document order
	Role      string     // the name of the image's role file that stands below the launch data; "" is none
	Include   string     // where a further document is that stands below the launch data; "" is nowhere
}

// IMDS is who may reach the instance metadata service, and with it the
// credentials of the instance's role.
type IMDS struct {
	Restrict []string // users, root among them; empty: everybody
}

// Variable is a parameter for the applications of the instance.
type Variable struct{ Name, Value string }

// User is a person who may log in.
type User struct {
	Name              string
	Gecos             string    // the account's comment, usually the person's full name; "" leaves it as it is
	Groups            []string  // beside the user's own group
	Sudo              []string  // sudoers rules without the user's name; "sudo: true" gives "ALL=(ALL) NOPASSWD:ALL"
	Shell             string    // "" means /bin/bash for a new account, and what it has for an old one
	SSHAuthorizedKeys []string  // authorized_keys lines
	Expires           time.Time // zero: never
}

// Volume is a named set of block devices that becomes one mounted file system.
// It is made of EBS volumes, or else of instance storage.
type Volume struct {
	Name          string
	EBS           EBS
	InstanceStore int // how many of the machine's own disks, which must be all that it has; or AllInstanceStore
	Create        Create
	Encryption    Encryption
	Filesystem    Filesystem
	Mount         string        // absolute, clean path
	OverdueAfter  time.Duration // how long a missing device may take before health fails; default DefaultOverdueAfter
	Required      bool          // default true: bootswain-storage.target waits for it
	Wipe          []Wipe
	Prefill       bool // of an ephemeral volume: every byte of it is written before the file system is made
}

// AllInstanceStore asks for whatever instance storage there is.
const AllInstanceStore = -1

// EBS selects devices: by volume id, by the device names of the launch template,
// by the tags of volumes that EC2 attaches, or as new volumes made from a
// snapshot set. Exactly one of the four is given.
type EBS struct {
	IDs     []string          // "vol-0a1b…"
	Devices []string          // "/dev/sdf"
	Tags    map[string]string // that each of the volumes carries
	Count   int               // how many volumes carry Tags; 0 without them
	Restore string            // id of a snapshot set: the value of their tag bootswain:set
}

// Create says whether a file system may be made.
type Create string

// The zero Create never formats anything.
const (
	CreateNever   Create = ""
	CreateIfBlank Create = "if_blank"
)

// Encryption is where the volume's key comes from. With EncryptionSealed no
// Sources mean that the volume's own LUKS2 token says where its key is.
type Encryption struct {
	Mode     EncryptionMode
	Sources  []KeySource // tried in this order; a new volume gets the first one's key
	Sealed   []byte      // Sources as the volume's header keeps them: the age ciphertext of the key alone, or the JSON text of what else is said
	Recovery string      // age recipient to whom a second key is sealed, or NoRecovery; "" says nothing about one
}

// KeySource is one place where a volume's key is to be had. One field is set,
// SealedTo aside.
type KeySource struct {
	Sealed         []byte          `json:"sealed,omitempty"`    // age ciphertext of the key, binary (decoded from base64 or armor)
	SealedTo       []string        `json:"sealed_to,omitempty"` // whose recipients that is, for people: age does not tell
	KMS            *KMS            `json:"kms,omitempty"`
	SecretsManager *SecretsManager `json:"secretsmanager,omitempty"`
	SSM            *SSM            `json:"ssm,omitempty"`
	Command        []string        `json:"command,omitempty"` // program of the image and its arguments; it prints the key
	Unlock         bool            `json:"unlock,omitempty"`  // a person or an orchestrator brings the key
}

// KMS is a key that AWS KMS has encrypted.
type KMS struct {
	Ciphertext []byte            `json:"ciphertext"`
	Context    map[string]string `json:"context"`       // encryption context that it is bound to
	Key        string            `json:"key,omitempty"` // key of KMS that has to be used; "" is the one that the ciphertext names
}

// SecretsManager is a key in AWS Secrets Manager: the secret's bytes or text as
// it is.
type SecretsManager struct {
	Secret  string `json:"secret"`            // name or ARN
	Version string `json:"version,omitempty"` // id; "" is the current one
}

// SSM is a key in a parameter of AWS Systems Manager: its text as it is.
type SSM struct {
	Parameter string `json:"parameter"` // name or ARN, perhaps with :VERSION
}

// NoRecovery is said aloud where a volume is to have no recovery key.
const NoRecovery = "none"

// EncryptionMode is who keeps the volume's key.
type EncryptionMode string

// The zero EncryptionMode is LUKS2 with a key that somebody keeps. What is
// ephemeral has a random key that nobody keeps and is made anew with each boot.
const (
	EncryptionSealed    EncryptionMode = ""
	EncryptionNone      EncryptionMode = "none"
	EncryptionEphemeral EncryptionMode = "ephemeral"
)

// Filesystem is what is made on a blank volume, and how it is mounted.
type Filesystem struct {
	Type    string   // "xfs" or "ext4"; "" is xfs, or ext4 where there is no mkfs.xfs
	Options []string // mount options
}

// Wipe releases the content of one device, known by the fingerprint that the
// refusal printed.
type Wipe struct {
	Volume string // volume id
	Found  string // fingerprint
}

// MySQL binds a MySQL or MariaDB server's data directory to a volume.
type MySQL struct {
	Volume   string // name of one of Volumes
	Isolated bool   // a copy that must not act as the original
	Upgrade  bool   // data of an earlier series may be opened, which cannot be taken back

	Elsewhere []Elsewhere // what of the server's files is on other volumes, in document order
}

// Elsewhere is a part of a server's files that is not on the volume of its data.
type Elsewhere struct {
	Part   Part
	Volume string // name of one of Volumes
	Mount  string // where that is mounted
}

// Part is what of a server's files may be on a volume of its own, by its key in
// launch data.
type Part string

// The parts.
const (
	BinaryLogs Part = "binary_logs"
	RedoLog    Part = "redo_log"
	TmpDir     Part = "tmpdir"
)

// Uses says whether anything of the server is on a volume.
func (m *MySQL) Uses(volume string) bool {
	return m != nil && (m.Volume == volume || slices.ContainsFunc(m.Elsewhere, func(e Elsewhere) bool { return e.Volume == volume }))
}
