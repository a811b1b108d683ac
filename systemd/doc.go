// Package systemd is bootswain's way of speaking with the service manager: it
// renders mount units and drop-ins, keeps them in /run/systemd/system, starts,
// stops and reloads units and waits for the outcome, reads their state, and tells the
// manager about itself.
//
// It never calls systemctl and never touches a unit file of the distribution
// or of a person: what it writes is in /run and is gone with the next boot.
// It knows nothing of volumes or databases.
//
// The D-Bus interface spoken here is described in org.freedesktop.systemd1(5).
// It is reached over the manager's private socket, which is there before the
// message bus starts and after it stopped.
//
// Our own static unit files are in the folder units beside this file.
package systemd
