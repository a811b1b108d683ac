package nbd

import (
	"errors"
	"time"
)

// Fault is what is wrong with a disk. The zero Fault is a sound disk.
type Fault struct {
	ReadError  bool          // reads fail with EIO
	WriteError bool          // writes and flushes fail with EIO
	Delay      time.Duration // every request takes this much longer
	Hang       bool          // requests wait until the fault changes
}

var errInjected = errors.New("injected I/O error")

type access int

const (
	accessRead access = iota
	accessWrite
)

func (f Fault) fails(kind access) bool {
	return kind == accessRead && f.ReadError || kind == accessWrite && f.WriteError
}

// SetFault changes what is wrong with the disk, also for requests that wait.
func (d *Disk) SetFault(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
	d.notify()
}

// Fault returns what is wrong with the disk.
func (d *Disk) Fault() Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault
}

// notify wakes every waiting request; d.mu is held.
func (d *Disk) notify() {
	close(d.changed)
	d.changed = make(chan struct{})
}
