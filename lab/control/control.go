// Package control lets several commands share one laboratory: a background
// process owns it, and the others ask that process over a socket.
//
// The owner keeps everything in one directory, which only its user can read,
// and removes it when the laboratory is taken down.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"bootswain/lab/image"
	"bootswain/lab/imds"
	"bootswain/lab/nbd"
)

// Up asks for the laboratory's machine.
type Up struct {
	Image       image.Image
	UserData    []byte // nil: none
	PublicKey   string // authorized_keys line of the EC2 key pair
	PrivateKey  string // file, for "lab ssh"
	Volumes     []int64
	CPUs        int
	Memory      int64
	Append      string
	IMDS        imds.Fault
	CountedTime bool
}

// Replace asks for a new machine with the volumes of the old one.
type Replace struct {
	UserData     []byte // with KeepUserData false: nil is none
	KeepUserData bool
}

// Cut asks for a power cut.
type Cut struct {
	LoseUnflushed bool
	Seed          uint64
	StayOff       bool
}

// Attach asks for a volume to be attached; an empty Volume is a new one.
type Attach struct {
	Volume string
	Size   int64
}

// Fault asks for a volume to misbehave.
type Fault struct {
	Volume string
	Fault  nbd.Fault
}

// Run asks for a command to be run as root.
type Run struct {
	Args  []string
	Stdin []byte
}

// Status is what there is to know about a laboratory.
type Status struct {
	Name, Dir, Accel string
	Instance         string // "": no machine yet
	On               bool
	SSH, Health      string // addresses on this host
	Console          string // file
	PrivateKey       string // file
	Volumes          []Volume
	IMDS             imds.Fault
	Requests         int // to the metadata service
}

// Volume is the status of one volume.
type Volume struct {
	ID       string
	Size     int64 // bytes
	Attached bool
	Fault    nbd.Fault
	Stats    nbd.Stats
}

// message is a line of an answer: progress, and at last a result or an error.
type message struct {
	Line   string          `json:"line,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// Dir is where the laboratory of this name is kept. It makes the directory
// above it, which must be this user's alone.
func Dir(name string) (string, error) {
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("%q is no name for a laboratory: use up to 31 of a-z, 0-9 and -", name)
	}
	all, err := root()
	return filepath.Join(all, name), err
}

// root is the directory of this user's laboratories. Volumes are too large for
// memory, so it is not below /run.
func root() (string, error) {
	dir := filepath.Join("/var/tmp", fmt.Sprintf("bootswain-lab-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s must be a directory that belongs to you alone (mode 0700)", dir)
	}
	return dir, nil
}

// Names lists the laboratories that have a directory, running or not.
func Names() ([]string, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func socket(dir string) string { return filepath.Join(dir, "control.sock") }
