// Package lab is a small EC2 on one computer: virtual machines that boot a
// real image, volumes that outlive them, and an instance metadata service.
// Volumes can be attached and pulled while a machine runs, can fail, and lose
// what was not flushed when a machine's power is cut.
//
// It serves development, tests and demonstrations and is never shipped. It
// needs QEMU. Whatever it starts ends with the process, however that ends.
//
// Sizes are in bytes. Waiting ends with the context that was given, and only
// with it: how long a guest takes says more of the host than of the guest, so
// limits belong into guest time, see [Machine.Journal] and [Machine.Uptime].
package lab

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"bootswain/lab/awsjson"
	"bootswain/lab/ec2"
	"bootswain/lab/nbd"
	"bootswain/lab/s3"
)

// Options are a laboratory's. The zero value is fine.
type Options struct {
	Dir  string    // where disks, consoles and sockets are kept; "": a temporary directory that Close removes
	Log  io.Writer // progress, a line each; nil: none
	Seed uint64    // decides volume and instance ids
}

// Lab is a laboratory. Its methods may be used at the same time.
type Lab struct {
	dir    string
	remove bool
	log    io.Writer
	seed   uint64
	accel  Accel

	// EC2 answers for the laboratory's machines and volumes. A guest reaches it
	// where its image looks for it, and may ask what its role may.
	EC2 *ec2.Server
	// AWS answers likewise for KMS, Secrets Manager and Systems Manager.
	AWS *awsjson.Server

	stop   context.CancelFunc
	served chan error
	nbd    nbd.Server

	mu       sync.Mutex
	made     int // ids so far
	volumes  []*Volume
	machines []*Machine

	snapshots map[string]snapshot

	s3        *s3.Server // nil until it is started
	s3Process *process

	prometheus *process // nil until it is started
}

// New opens a laboratory. The first one since the host started finds out
// whether KVM works here, which takes a few seconds.
func New(ctx context.Context, o Options) (*Lab, error) {
	l := &Lab{dir: o.Dir, log: o.Log, seed: o.Seed, served: make(chan error, 1), snapshots: map[string]snapshot{}}
	l.EC2 = ec2.New(hardware{l})
	l.AWS = awsjson.New(region, l.EC2.Who)
	if l.log == nil {
		l.log = io.Discard
	}
	if l.dir == "" {
		dir, err := os.MkdirTemp("", "lab-")
		if err != nil {
			return nil, err
		}
		l.dir, l.remove = dir, true
	}
	err := os.MkdirAll(l.dir, 0o700)
	if err == nil {
		l.accel, err = FindAccel(ctx)
	}
	if err == nil {
		err = l.serve()
	}
	if err != nil {
		l.clean()
		return nil, fmt.Errorf("cannot open a laboratory: %w", err)
	}
	return l, nil
}

func (l *Lab) serve() error {
	listener, err := net.Listen("unix", l.nbdSocket())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go func() { l.served <- l.nbd.Serve(ctx, listener) }()
	return nil
}

func (l *Lab) nbdSocket() string { return l.path("nbd.sock") }

func (l *Lab) path(name string) string { return filepath.Join(l.dir, name) }

// Accel says how machines of this laboratory are run.
func (l *Lab) Accel() Accel { return l.accel }

// Close ends all machines and forgets all volumes.
func (l *Lab) Close() error {
	l.mu.Lock()
	machines, volumes := slices.Clone(l.machines), l.volumes
	l.mu.Unlock()
	var errs []error
	l.EC2.Close()
	if l.s3 != nil {
		l.s3.Close()
		l.s3Process.kill()
	}
	if l.prometheus != nil {
		l.prometheus.kill()
	}
	for _, m := range machines {
		errs = append(errs, m.Close())
	}
	l.stop()
	errs = append(errs, <-l.served)
	for _, v := range volumes {
		errs = append(errs, v.Close())
	}
	l.clean()
	return errors.Join(errs...)
}

func (l *Lab) clean() {
	if l.remove {
		os.RemoveAll(l.dir)
	}
}

// newID returns an id as EC2 forms them, the same for the same seed and count.
func (l *Lab) newID(prefix string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	b := binary.BigEndian.AppendUint64([]byte(prefix), l.seed)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(l.made)))
	return prefix + "-0" + hex.EncodeToString(sum[:])[:16]
}
